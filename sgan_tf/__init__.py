"""Stacked Generative Adversarial Networks (Huang et al., CVPR 2017) in Keras 3 and TensorFlow.

`sgan_tf.load("digits")` gives a trained `StackedGAN`, and so does `load` of a run folder. Names are
loaded on first use, so that `import sgan_tf` alone does not import TensorFlow.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "Checkpoint": "runs.checkpoint",
    "CheckpointError": "runs.checkpoint",
    "Config": "config.schema",
    "ConfigError": "config.validation",
    "EncoderConfig": "config.schema",
    "JointConfig": "config.schema",
    "LevelConfig": "config.schema",
    "DataError": "errors",
    "UserError": "errors",
    "ImageDataset": "data.datasets",
    "load_dataset": "data.datasets",
    "load": "saving.load",
    "inspect_layers": "evaluation.inspection",
    "build": "models.build",
    "Discriminator": "models.networks.discriminators",
    "Encoder": "models.encoder.encoder",
    "EntropyLoss": "models.entropy",
    "LevelGAN": "models.level_gan",
    "Adversarial": "models.losses",
    "Decomposition": "models.sampling",
    "StackSampler": "models.sampling",
    "StackedGAN": "models.stacked_gan",
    "make_config": "config.presets",
    "list_pretrained": "saving.pretrained",
    "Run": "runs.run",
    "RunError": "errors",
    "invert": "training.invert",
    "save": "saving.save",
    "Pipeline": "training.pipeline",
    "TrainingOptions": "training.options",
    "Hyperparameters": "training.options",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"sgan_tf.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'sgan_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
