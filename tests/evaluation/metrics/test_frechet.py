import numpy as np
import pytest
import scipy.linalg

from sgan_tf.evaluation.metrics.frechet import frechet_distance

RNG = np.random.default_rng(0)
REAL = RNG.normal(1, 2, (500, 6))


def test_against_scipy_in_float64():
    fake = RNG.normal(0, 1, (400, 6)) @ RNG.normal(0, 1, (6, 6))
    a, b = np.cov(REAL.T), np.cov(fake.T)
    means = np.sum((REAL.mean(0) - fake.mean(0)) ** 2)
    expected = means + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)
    # TF-GAN divides by N, not by N - 1
    assert frechet_distance(REAL, fake) == pytest.approx(expected, rel=1e-2)


def test_closed_forms():
    root = np.linalg.cholesky(np.cov(REAL.T, bias=True))
    whitened = (REAL - REAL.mean(0)) @ np.linalg.inv(root).T
    # Two Gaussians N(0, 1) and N(3, 2^2) in six dimensions: 6 (3^2 + (2 - 1)^2)
    assert frechet_distance(whitened, 3 + 2 * whitened) == pytest.approx(60, rel=1e-2)
    assert frechet_distance(REAL, REAL) == pytest.approx(0, abs=1e-8)
