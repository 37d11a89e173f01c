import logging

import keras
import numpy as np
import pytest

from sgan_tf.config.schema import LevelConfig
from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.training.monitor import CollapseMonitor, collapsed


@keras.saving.register_keras_serializable("tests")
class Shifted(keras.Model):
    """A generator that is its condition, moved by its noise times `scale`."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def call(self, inputs, training=False):
        condition, z = inputs
        return condition + self.scale * (z - 0.5)


REAL = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)


@pytest.fixture
def told(caplog, monkeypatch):
    """The warnings since it was last asked."""
    monkeypatch.setattr(logging.getLogger("sgan_tf"), "propagate", True)

    def since():
        # The monitor's own: servers of other tests may still log, from their threads.
        lines = [r.getMessage() for r in caplog.records if r.module == "monitor"]
        caplog.clear()
        return lines

    return since


def watch(scale, epochs, measured=()):
    stage = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    h = keras.Input((3,))
    judge = keras.Model(h, [keras.layers.Dense(1)(h), keras.layers.Dense(3)(h)])
    level = LevelGAN(Shifted(scale), judge, stage, LevelConfig(z_dim=3), index=0)
    return CollapseMonitor([level], [REAL, REAL], np.zeros(2000, int), 1, epochs, measured)


def at(monitor, epochs):
    """Ends these epochs, counted from 1; returns the last one's numbers."""
    for epoch in epochs:
        logs = {}
        monitor.on_epoch_end(epoch - 1, logs)
    return logs


@pytest.mark.parametrize(("scale", "low"), [(1.0, False), (0.5, False), (0.001, True), (0.0, True)])
def test_a_level_that_ignores_its_noise_is_called_collapsed(told, scale, low):
    logs = at(watch(scale, 20), range(1, 7))
    # Three coordinates uniform on a unit interval, seen eight at a time, over a normal's spread.
    expected = scale * np.sqrt(1 / 12 * 7 / 8)
    assert logs["conditional_spread_0"] == pytest.approx(expected, rel=0.1, abs=1e-6)
    assert logs["spread_0"] == pytest.approx(np.sqrt(1 + scale**2 / 12), rel=0.15)
    lines = told()
    assert bool(lines) == low and collapsed(logs) == ([0] if low else [])
    assert not low or (
        "level 0 has collapsed" in lines[0] and "levels.0.loss.lambda_ent" in lines[0]
    )


@pytest.mark.parametrize(("epochs", "first"), [(5, 6), (20, 6), (40, 7), (120, 15)])
def test_it_is_told_when_it_lasts_and_only_once(told, epochs, first):
    """Not in the first tenth of the stage, at least three epochs, and at the third in a row."""
    monitor = watch(0.0, epochs)
    at(monitor, range(1, first))
    assert told() == []
    at(monitor, [first])
    assert len(told()) == 1
    at(monitor, range(first + 1, first + 9))
    assert told() == []


def test_it_is_told_again_after_the_level_had_recovered(told):
    monitor = watch(0.0, 20)
    at(monitor, range(1, 7))
    assert len(told()) == 1
    monitor._draws = watch(1.0, 20)._draws
    at(monitor, [7])
    monitor._draws = watch(0.0, 20)._draws
    at(monitor, [8, 9])
    assert told() == []
    at(monitor, [10])
    assert len(told()) == 1


@pytest.mark.parametrize("stopped", range(1, 9))
def test_a_stage_that_resumes_is_told_as_one_that_never_stopped(told, stopped):
    low = [{"epoch": n, "conditional_spread_0": 0.0} for n in range(1, stopped + 1)]
    at(watch(0.0, 20, low), range(stopped + 1, 12))
    assert len(told()) == (1 if stopped < 6 else 0)
