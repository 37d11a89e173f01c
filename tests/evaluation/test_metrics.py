"""Every statistic against NumPy and SciPy in float64, and on closed forms."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from scipy.spatial import distance

from sgan_tf.evaluation import precision_recall as manifold
from sgan_tf.evaluation.precision_recall import nearest, nearest_ratio, precision_recall
from sgan_tf.evaluation.scores import classifier_score, frechet_distance, kernel_distance
from sgan_tf.evaluation.ssim import mean_pairwise_ssim
from sgan_tf.spread import class_spread

RNG = np.random.default_rng(0)


def test_classifier_score():
    logits = RNG.normal(0, 3, (1005, 7))
    parts = []
    for part in np.split(logits[:1000], 10):
        p = scipy.special.softmax(part, axis=1)
        parts.append(np.exp(scipy.special.rel_entr(p, p.mean(0)).sum(1).mean()))
    mean, deviation = classifier_score(logits)
    assert mean == pytest.approx(np.mean(parts), rel=1e-9) and deviation == pytest.approx(
        np.std(parts), rel=1e-6
    )
    certain = np.tile(
        np.eye(5) * 100, (100, 1)
    )  # each class equally often and for certain: the number of classes
    assert classifier_score(certain)[0] == pytest.approx(5, rel=1e-9)
    assert classifier_score(np.zeros((100, 5)))[0] == pytest.approx(1, abs=1e-12)


def test_frechet_distance():
    real, fake = RNG.normal(1, 2, (500, 6)), RNG.normal(0, 1, (400, 6)) @ RNG.normal(0, 1, (6, 6))
    a, b = np.cov(real.T), np.cov(fake.T)
    expected = np.sum((real.mean(0) - fake.mean(0)) ** 2) + np.trace(
        a + b - 2 * scipy.linalg.sqrtm(a @ b).real
    )
    assert frechet_distance(real, fake) == pytest.approx(
        expected, rel=1e-2
    )  # TF-GAN divides by N, not by N - 1
    whitened = (real - real.mean(0)) @ np.linalg.inv(
        np.linalg.cholesky(np.cov(real.T, bias=True))
    ).T
    # Two Gaussians N(0, 1) and N(3, 2^2) in six dimensions: 6 (3^2 + (2 - 1)^2)
    assert frechet_distance(whitened, 3 + 2 * whitened) == pytest.approx(60, rel=1e-2)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-8)


def test_kernel_distance():
    real, fake = RNG.normal(0, 1, (300, 5)), RNG.normal(0.5, 1, (300, 5))

    def kernel(x, y):
        return (x @ y.T / 5 + 1) ** 3

    def off_diagonal(k):
        return (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))

    expected = (
        off_diagonal(kernel(real, real))
        + off_diagonal(kernel(fake, fake))
        - 2 * kernel(real, fake).mean()
    )
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-9)
    alike = kernel_distance(RNG.normal(0, 1, (5000, 5)), RNG.normal(0, 1, (5000, 5)))
    assert abs(alike) < 0.01 * expected


def test_precision_recall():
    real, fake = RNG.normal(0, 1, (157, 4)), RNG.normal(0.7, 0.7, (121, 4))
    rr, ff, rf = distance.cdist(real, real), distance.cdist(fake, fake), distance.cdist(real, fake)
    real_radii, fake_radii = np.sort(rr, 1)[:, 3], np.sort(ff, 1)[:, 3]
    expected = ((rf <= real_radii[:, None]).any(0).mean(), (rf <= fake_radii).any(1).mean())
    assert precision_recall(real, fake) == pytest.approx(expected)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, real + 100) == (0, 0)
    middle = real.mean(0) + 0.01 * RNG.normal(size=(100, 4))  # all good, and all alike
    precision, recall = precision_recall(real, middle)
    assert precision == 1 and recall < 0.1


def test_nearest():
    train, test, fake = (
        RNG.normal(size=(211, 3)),
        RNG.normal(size=(53, 3)),
        RNG.normal(size=(67, 3)),
    )
    whole = distance.cdist(fake, train)
    indices, distances = nearest(fake, train)
    np.testing.assert_array_equal(indices, whole.argmin(1))
    np.testing.assert_allclose(distances, whole.min(1), rtol=1e-12)
    assert nearest_ratio(fake, train, test) == pytest.approx(
        whole.min(1).mean() / distance.cdist(test, train).min(1).mean()
    )
    assert nearest_ratio(train, train, test) == 0


def test_results_do_not_depend_on_the_block(monkeypatch):
    real, fake = RNG.normal(size=(130, 4)), RNG.normal(size=(90, 4))
    whole = precision_recall(real, fake), nearest(fake, real)[1]
    monkeypatch.setattr(manifold, "BLOCK", 17)
    assert precision_recall(real, fake) == whole[0]
    np.testing.assert_array_equal(nearest(fake, real)[1], whole[1])


def test_memory_is_bounded_by_the_block():
    rows = RNG.normal(size=(6000, 2))
    tracemalloc.start()
    precision_recall(rows, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * manifold.BLOCK * len(rows) * 8  # a few blocks of distances, never all: 288 MB


def test_class_spread():
    labels = np.repeat([0, 1, 2], 40_000)
    h = RNG.normal(0, 2, (120_000, 3)) + 10 * labels[:, None]
    assert class_spread(h, labels) == pytest.approx(2 * np.sqrt(3), rel=1e-2)
    assert (
        class_spread(np.append(labels, 9)[:, None], np.append(labels, 9)) == 0
    )  # a class of one is left out


def test_ssim():
    constant = np.full((4, 28, 28, 1), 90, np.uint8)
    assert mean_pairwise_ssim(constant) == pytest.approx(1)
    noise = RNG.integers(0, 256, (30, 28, 28, 1), dtype=np.uint8)
    assert abs(mean_pairwise_ssim(noise)) < 0.05
    # Two constant images a and b: (2ab + c) / (a^2 + b^2 + c) with c = (0.01 * 255)^2
    two = np.stack([np.full((8, 8, 1), 50, np.uint8), np.full((8, 8, 1), 200, np.uint8)])
    c = 2.55**2
    assert mean_pairwise_ssim(two, pairs=3) == pytest.approx(
        (2 * 50 * 200 + c) / (50**2 + 200**2 + c), rel=1e-3
    )  # in float32
    large = RNG.integers(0, 256, (2, 176, 176, 3), dtype=np.uint8)
    assert mean_pairwise_ssim(np.stack([large[0], large[0]]), pairs=2) == pytest.approx(1)
    assert mean_pairwise_ssim(large, pairs=2) < 0.5
