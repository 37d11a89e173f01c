"""What the benchmarks run: configurations, random images in a data set's place, untrained runs."""

import contextlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from sgan_tf.config.presets import make_config
from sgan_tf.config.schema import Config
from sgan_tf.data.datasets import ImageDataset
from sgan_tf.runs.run import Run
from sgan_tf.training.options import TrainingOptions
from sgan_tf.training.pipeline import Pipeline
from sgan_tf.training.stages import Stage
from sgan_tf.utils.images import as_float

# A GPU is shared with PyTorch, and with the processes that a benchmark starts.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

# Presets whose networks are written in PyTorch too (torch_networks.py).
IN_TORCH = (
    "digits",
    *(f"{data}{kind}" for data in ("svhn", "cifar10") for kind in ("", "-release", "-small")),
)
CLASSES = [str(c) for c in range(10)]
ONE_CHANNEL = ("digits", "mnist")  # data sets; the others' images are in colour


def configuration(preset: str, precision: str = "float32", **settings) -> Config:
    """Returns a preset's `Config` on the data set that it is named after; see `make_config`."""
    return make_config(preset.split("-")[0], preset, precision=precision, **settings)


def random_dataset(config: Config, batches: int = 4) -> ImageDataset:
    """Returns random images in place of a configuration's data set, a few batches of them."""
    channels = 1 if config.dataset in ONE_CHANNEL else 3
    rng = np.random.default_rng(0)
    shape = (batches * config.batch_size, config.image_size, config.image_size, channels)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    labels = (np.arange(len(images)) % len(CLASSES)).astype(np.int32)
    return ImageDataset(config.dataset, CLASSES, images, labels, images[:1], labels[:1])


@contextlib.contextmanager
def untrained(config: Config, strategy: tf.distribute.Strategy | None = None) -> Iterator[Pipeline]:
    """A `Pipeline` on random images, in a run folder that goes with the block."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run.open(folder, config)
        options = TrainingOptions(strategy or tf.distribute.get_strategy())
        try:
            yield Pipeline(config, run, random_dataset(config), options=options)
        finally:
            run.close()


@contextlib.contextmanager
def untrained_run(config: Config) -> Iterator[str]:
    """A run folder as a finished training leaves it, but for the training; gone with the block."""
    with untrained(config) as pipeline:
        for stage in pipeline.stages:
            model, steps = stage.prepare(), pipeline.material.steps(stage.epochs)
            checkpoint = pipeline.run.checkpoint(stage.name)
            checkpoint.save(model.state(), steps, True, config=config.to_json())
            stage.finish(model)
        yield str(pipeline.run.path)


def parameters(network: tf.keras.Model) -> int:
    """Returns the number of trainable weights of a network."""
    return sum(math.prod(v.shape) for v in network.trainable_variables)


def stage_named(pipeline: Pipeline, name: str) -> Stage:
    return next(stage for stage in pipeline.stages if stage.name == name)


def prepared(stage: Stage, strategy: tf.distribute.Strategy | None = None):
    """Returns a stage's model, ready for its first step."""
    with (strategy or tf.distribute.get_strategy()).scope():
        model = stage.prepare()
    stage.adapt(model)
    return model


def one_batch(stage: Stage) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns what a step of a stage takes: its model's inputs, images in [0, 1], and labels."""
    *inputs, labels = [array[: stage.material.config.batch_size] for array in stage.arrays()]
    return [as_float(array) for array in inputs], labels


def step_of(
    stage: Stage, strategy: tf.distribute.Strategy | None = None
) -> tuple[tf.keras.Model, Callable[[], np.ndarray]]:
    """Returns a stage's model, and a function that makes a step on one and the same batch.

    The function's first call traces; it returns what the step measured, so the step is done.
    """
    strategy = strategy or tf.distribute.get_strategy()
    model, (x, y) = prepared(stage, strategy), one_batch(stage)
    x, y = (_shared_out(strategy, part) for part in (x, y))
    update = tf.function(lambda: model.distributed_update(x[0] if len(x) == 1 else x, y))

    def step():
        with strategy.scope():
            return update().numpy()

    return model, step


def _shared_out(strategy, arrays):
    """An array, or each of a list, as tensors divided among the replicas of a strategy."""
    if isinstance(arrays, list):
        return [_shared_out(strategy, array) for array in arrays]

    def share(context):
        parts = np.split(arrays, context.num_replicas_in_sync)
        return tf.constant(parts[context.replica_id_in_sync_group])

    return strategy.experimental_distribute_values_from_function(share)
