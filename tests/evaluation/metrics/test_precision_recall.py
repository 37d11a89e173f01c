import numpy as np
import pytest
from scipy.spatial import distance

from sgan_tf.evaluation import distances
from sgan_tf.evaluation.metrics.precision_recall import precision_recall

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(0, 1, (157, 4)), RNG.normal(0.7, 0.7, (121, 4))


def test_against_scipy_in_float64():
    rr, ff, rf = distance.cdist(REAL, REAL), distance.cdist(FAKE, FAKE), distance.cdist(REAL, FAKE)
    real_radii, fake_radii = np.sort(rr, 1)[:, 3], np.sort(ff, 1)[:, 3]
    expected = ((rf <= real_radii[:, None]).any(0).mean(), (rf <= fake_radii).any(1).mean())
    assert precision_recall(REAL, FAKE) == pytest.approx(expected)


def test_closed_forms():
    assert precision_recall(REAL, REAL) == (1, 1)
    assert precision_recall(REAL, REAL + 100) == (0, 0)
    middle = REAL.mean(0) + 0.01 * RNG.normal(size=(100, 4))  # all good, and all alike
    precision, recall = precision_recall(REAL, middle)
    assert precision == 1 and recall < 0.1


def test_it_does_not_depend_on_the_block(monkeypatch):
    whole = precision_recall(REAL, FAKE)
    monkeypatch.setattr(distances, "BLOCK", 17)
    assert precision_recall(REAL, FAKE) == whole
