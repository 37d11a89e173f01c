import numpy as np
import pytest

from sgan_tf.evaluation.metrics.kernel import kernel_distance

RNG = np.random.default_rng(0)


def test_against_numpy_in_float64():
    real, fake = RNG.normal(0, 1, (300, 5)), RNG.normal(0.5, 1, (300, 5))

    def kernel(x, y):
        return (x @ y.T / 5 + 1) ** 3

    def off_diagonal(k):
        return (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))

    alike = off_diagonal(kernel(real, real)) + off_diagonal(kernel(fake, fake))
    expected = alike - 2 * kernel(real, fake).mean()
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-9)
    same = kernel_distance(RNG.normal(0, 1, (5000, 5)), RNG.normal(0, 1, (5000, 5)))
    assert abs(same) < 0.01 * expected
