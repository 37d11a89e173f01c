"""One SGD step of every stage through the trainer; the weights go to the file that is named."""

import sys
import tempfile
import types

import keras
import numpy as np
import tensorflow as tf

from sgan_tf.cli.devices import several_machines
from sgan_tf.config.presets import make_config
from sgan_tf.models.build import build
from sgan_tf.runs.run import Run
from sgan_tf.training.options import TrainingOptions
from sgan_tf.training.trainer import Trainer

PLAIN = [
    "encoder.dropout=0",
    "levels.0.discriminator.input_noise=0",
    "levels.1.discriminator.input_noise=0",
]
STRATEGY = (
    tf.distribute.MultiWorkerMirroredStrategy()
    if several_machines()
    else tf.distribute.get_strategy()
)


def main():
    config, rng = make_config("digits", overrides=PLAIN), np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)
    labels = rng.integers(0, 10, 50).astype(np.int32)
    with STRATEGY.scope():
        encoder, stack = build(config, (8, 8, 1), list(map(str, range(10))))
        models = {"encoder": encoder, "level0": stack.levels[0], "joint": stack}
        encoder.compile(keras.optimizers.SGD(0.01))
        for model in (stack.levels[0], stack):
            model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
    run = Run.open(tempfile.mkdtemp(), config)
    weights = {}
    for name, model in models.items():
        stage = types.SimpleNamespace(
            name=name,
            epochs=1,
            augmentation=lambda: {},
            adapt=lambda model: None,
            settle=lambda model: None,
            material=types.SimpleNamespace(seed=lambda name: 1),
            arrays=lambda: [images, labels],
            callbacks=lambda model, every: [],
        )
        Trainer(run, 50, TrainingOptions(STRATEGY)).train(stage, model)
        for group, variables in model.networks().items():
            for i, variable in enumerate(variables):
                weights[f"{name} {group} {i} {variable.name}"] = variable.numpy()
        encoder.trainable = False
    np.savez(sys.argv[1], **weights)


main()
