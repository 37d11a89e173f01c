import numpy as np
import pytest

from sgan_tf.evaluation.metrics.levels import noise_recovery


def test_closed_forms():
    noise = np.random.default_rng(0).random((1000, 4))
    assert noise_recovery(noise, noise) == 1
    assert noise_recovery(np.full_like(noise, noise.mean()), noise) == pytest.approx(0, abs=1e-12)
    assert noise_recovery(noise[::-1], noise) == pytest.approx(-1, abs=0.1)  # worse than knowing it
