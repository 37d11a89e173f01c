import numpy as np
import pytest

from sgan_tf.evaluation import metrics
from sgan_tf.evaluation.metrics.levels import noise_recovery
from sgan_tf.evaluation.scores import Score


def test_closed_forms():
    noise = np.random.default_rng(0).random((1000, 4))
    assert noise_recovery(noise, noise) == 1
    assert noise_recovery(np.full_like(noise, noise.mean()), noise) == pytest.approx(0, abs=1e-12)
    assert noise_recovery(noise[::-1], noise) == pytest.approx(-1, abs=0.1)  # worse than knowing it


def test_a_collapsed_level_is_warned_of():
    def conditional(value, level):
        return Score("conditional_spread_h", value, level=level)

    low = [conditional(1e-6, 0), conditional(0.06, 1), Score("spread_h", 1e-6, level=0)]
    (line,) = metrics.warnings(low)
    assert line.startswith("level 0 has collapsed: conditional_spread_h_0 is 1e-06, under 0.05")
    assert "z_0" in line
    assert metrics.warnings([conditional(0.05, 1)]) == []
    assert metrics.warnings([conditional(float("nan"), 1)]) != []
