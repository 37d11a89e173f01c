"""Prepares what the benchmarks run: configurations, random images and untrained runs."""

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

# The GPU is shared with PyTorch and with the processes that a benchmark starts.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

# Presets whose networks are written in PyTorch too (torch_networks.py).
IN_TORCH = (
    "digits",
    *(f"{data}{kind}" for data in ("svhn", "cifar10") for kind in ("", "-release", "-small")),
)
CLASSES = [str(c) for c in range(10)]
ONE_CHANNEL = ("digits", "mnist")  # the images of other data sets are in color


def configuration(preset: str, precision: str = "float32", **settings) -> Config:
    """Returns the configuration of a preset on the data set that it is named after.

    Args:
        preset: String. Name of the preset.
        precision: String. `float32` or `bfloat16`. Defaults to `"float32"`.
        settings: Other arguments of `make_config`.

    Returns:
        A `Config`.
    """
    return make_config(preset.split("-")[0], preset, precision=precision, **settings)


def random_dataset(config: Config, batches: int = 4) -> ImageDataset:
    """Returns random images instead of a configuration's data set.

    Args:
        config: `Config`.
        batches: Integer. Number of batches of training images. Defaults to 4.

    Returns:
        An `ImageDataset`.
    """
    channels = 1 if config.dataset in ONE_CHANNEL else 3
    rng = np.random.default_rng(0)
    shape = (batches * config.batch_size, config.image_size, config.image_size, channels)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    labels = (np.arange(len(images)) % len(CLASSES)).astype(np.int32)
    return ImageDataset(config.dataset, CLASSES, images, labels, images[:1], labels[:1])


@contextlib.contextmanager
def untrained(config: Config, strategy: tf.distribute.Strategy | None = None) -> Iterator[Pipeline]:
    """Yields a `Pipeline` on random images, in a temporary run folder.

    Args:
        config: `Config`.
        strategy: `tf.distribute.Strategy`. Defaults to the current one.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Run.open(folder, config)
        options = TrainingOptions(strategy or tf.distribute.get_strategy())
        try:
            yield Pipeline(config, run, random_dataset(config), options=options)
        finally:
            run.close()


@contextlib.contextmanager
def untrained_run(config: Config) -> Iterator[str]:
    """Yields the path of a temporary run folder that is complete, but whose weights are untrained.

    Args:
        config: `Config`.
    """
    with untrained(config) as pipeline:
        for stage in pipeline.stages:
            model, steps = stage.prepare(), pipeline.material.steps(stage.epochs)
            checkpoint = pipeline.run.checkpoint(stage.name)
            checkpoint.save(model.state(), steps, True, config=config.to_json())
            stage.finish(model)
        yield str(pipeline.run.path)


def parameters(network: tf.keras.Model) -> int:
    """Returns the number of trainable weights of a network.

    Args:
        network: `keras.Model`.

    Returns:
        Integer.
    """
    return sum(math.prod(v.shape) for v in network.trainable_variables)


def stage_named(pipeline: Pipeline, name: str) -> Stage:
    """Returns the stage of a pipeline that has this name."""
    return next(stage for stage in pipeline.stages if stage.name == name)


def prepared(stage: Stage, strategy: tf.distribute.Strategy | None = None):
    """Returns a stage's model, ready for its first step.

    Args:
        stage: `Stage`.
        strategy: `tf.distribute.Strategy`. Defaults to the current one.
    """
    with (strategy or tf.distribute.get_strategy()).scope():
        model = stage.prepare()
    stage.adapt(model)
    return model


def one_batch(stage: Stage) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the first batch of a stage.

    Args:
        stage: `Stage`.

    Returns:
        Tuple `(inputs, labels)`: a list of float32 arrays, of which images are in [0, 1], and the
        labels, an integer array `[N]`.
    """
    *inputs, labels = [array[: stage.material.config.batch_size] for array in stage.arrays()]
    return [as_float(array) for array in inputs], labels


def step_of(
    stage: Stage, strategy: tf.distribute.Strategy | None = None
) -> tuple[tf.keras.Model, Callable[[], np.ndarray]]:
    """Returns a stage's model, and a function that makes a training step.

    Every step uses the same batch. The first call traces the function. It returns the measurements
    of the step as an array, so it returns only when the step is done.

    Args:
        stage: `Stage`.
        strategy: `tf.distribute.Strategy`. Defaults to the current one.

    Returns:
        Tuple `(model, step)`.
    """
    strategy = strategy or tf.distribute.get_strategy()
    model, (x, y) = prepared(stage, strategy), one_batch(stage)
    x, y = (_distribute(strategy, part) for part in (x, y))
    update = tf.function(lambda: model.distributed_update(x[0] if len(x) == 1 else x, y))

    def step():
        with strategy.scope():
            return update().numpy()

    return model, step


def _distribute(strategy, arrays):
    """Divides an array, or each array of a list, among the replicas of a strategy."""
    if isinstance(arrays, list):
        return [_distribute(strategy, array) for array in arrays]

    def share(context):
        parts = np.split(arrays, context.num_replicas_in_sync)
        return tf.constant(parts[context.replica_id_in_sync_group])

    return strategy.experimental_distribute_values_from_function(share)
