import logging

import keras
import numpy as np
import pytest

from sgan_tf.config import LevelConfig
from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.training.monitor import CollapseMonitor


@keras.saving.register_keras_serializable("tests")
class Shifted(keras.Model):
    """A generator that is its condition, moved by its noise times `scale`."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def call(self, inputs, training=False):
        condition, z = inputs
        return condition + self.scale * (z - 0.5)


@pytest.mark.parametrize(
    ("scale", "collapsed"), [(1.0, False), (0.5, False), (0.001, True), (0.0, True)]
)
def test_a_level_that_ignores_its_noise_is_called_collapsed(caplog, monkeypatch, scale, collapsed):
    stage = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    h = keras.Input((3,))
    judge = keras.Model(h, [keras.layers.Dense(1)(h), keras.layers.Dense(3)(h)])
    level = LevelGAN(Shifted(scale), judge, stage, LevelConfig(z_dim=3), index=0)
    monkeypatch.setattr(logging.getLogger("sgan_tf"), "propagate", True)
    real = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)
    logs = {}
    CollapseMonitor([level], [real, real], np.zeros(2000, int), seed=1).on_epoch_end(0, logs)
    # Three coordinates uniform on a unit interval, seen eight at a time, over a normal's spread.
    expected = scale * np.sqrt(1 / 12 * 7 / 8)
    assert logs["conditional_spread_0"] == pytest.approx(expected, rel=0.1, abs=1e-6)
    assert logs["spread_0"] == pytest.approx(np.sqrt(1 + scale**2 / 12), rel=0.15)
    told = "level 0 has collapsed" in caplog.text and "levels.0.lambda_ent" in caplog.text
    assert told == collapsed
