"""Two logical CPU devices stand in for GPUs, and small models that several tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgan_tf.config import make_config
from sgan_tf.stages import build

tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture
def small_stack():
    """Builds a digits stack for a list of cuts; returns `(config, stack, batch (h_0, …, labels))`."""

    def make(cuts=("fc3",), overrides=(), batch=8, preset="digits"):
        config = make_config("digits", preset, cuts=cuts, overrides=overrides)
        encoder, stack = build(config, (8, 8, 1), 10)
        encoder.trainable = False
        rng = np.random.default_rng(0)
        images = rng.random((batch, 8, 8, 1), dtype=np.float32)
        labels = rng.integers(0, 10, batch).astype(np.int32)
        features = [h.numpy() for h in encoder.features(images)[:-1]]
        return config, stack, (images, *features, labels)

    return make


@pytest.fixture
def sgd():
    return lambda: (keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
