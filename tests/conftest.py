"""Two logical CPU devices stand in for GPUs, and what tests share: stacks, a run, an export."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the programs do

import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import EXPORT, TRAIN, run
from shared import DIGITS, SHORT

from sgan_tf.models.build import build
from sgan_tf.presets import make_config

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(scope="session")
def small_stack():
    """Builds a digits stack for a list of cuts.

    Returns `(config, stack, batch)`, the batch being `([h_0, …, h_{N-1}], labels)`.
    """

    def make(cuts=("fc3",), overrides=(), batch=8, preset="digits", precision="float32"):
        config = make_config("digits", preset, cuts=cuts, overrides=overrides, precision=precision)
        encoder, stack = build(config, (8, 8, 1), DIGITS)
        encoder.trainable = False
        rng = np.random.default_rng(0)
        images = rng.random((batch, 8, 8, 1), dtype=np.float32)
        labels = rng.integers(0, 10, batch).astype(np.int32)
        features = [h.numpy() for h in encoder.features(images)[:-1]]
        return config, stack, ([images, *features], labels)

    return make


@pytest.fixture
def sgd():
    return lambda: (keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A run on digits of two epochs a stage, and what train.py printed: `(run folder, stdout)`."""
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    out, _ = run(TRAIN, [*SHORT, "--run_dir", run_dir])
    return run_dir, out


@pytest.fixture(scope="session")
def exported(finished, tmp_path_factory):
    """The export of the finished run, and what export.py printed: `(version's folder, stdout)`."""
    folder = tmp_path_factory.mktemp("exports")
    out, _ = run(EXPORT, ["--run_dir", finished[0], "--export_dir", folder])
    return folder / "whole" / "1", out
