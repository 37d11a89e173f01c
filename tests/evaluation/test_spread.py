import numpy as np
import pytest

from sgan_tf.evaluation.spread import conditional_spread, spread


def test_closed_forms():
    h = np.random.default_rng(0).normal(0, 2, (200_000, 3))
    assert spread(h) == pytest.approx(2 * np.sqrt(3), rel=1e-2)
    assert conditional_spread(h.reshape(-1, 1000, 3)) == pytest.approx(2 * np.sqrt(3), rel=1e-2)


def test_a_generator_that_ignores_its_noise_spreads_by_condition_only():
    h = np.repeat(np.random.default_rng(0).normal(size=(10, 1, 4, 4, 1)), 8, axis=1)
    assert conditional_spread(h) == pytest.approx(0, abs=1e-12)
    assert spread(h.reshape(80, 4, 4, 1)) > 1
