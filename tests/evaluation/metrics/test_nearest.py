import numpy as np
import pytest
from scipy.spatial import distance

from sgan_tf.evaluation import distances
from sgan_tf.evaluation.metrics.nearest import nearest, nearest_ratio

RNG = np.random.default_rng(0)
TRAIN, TEST, FAKE = (RNG.normal(size=(count, 3)) for count in (211, 53, 67))


def test_against_scipy_in_float64():
    whole = distance.cdist(FAKE, TRAIN)
    indices, found = nearest(FAKE, TRAIN)
    np.testing.assert_array_equal(indices, whole.argmin(1))
    np.testing.assert_allclose(found, whole.min(1), rtol=1e-12)
    expected = whole.min(1).mean() / distance.cdist(TEST, TRAIN).min(1).mean()
    assert nearest_ratio(FAKE, TRAIN, TEST) == pytest.approx(expected)


def test_copies_are_at_no_distance():
    assert nearest_ratio(TRAIN, TRAIN, TEST) == 0


def test_it_does_not_depend_on_the_block(monkeypatch):
    _, whole = nearest(FAKE, TRAIN)
    monkeypatch.setattr(distances, "BLOCK", 17)
    np.testing.assert_array_equal(nearest(FAKE, TRAIN)[1], whole)
