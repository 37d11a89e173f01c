import numpy as np
import pytest
import scipy.special

from sgan_tf.evaluation.metrics.classifier_score import classifier_score


def test_against_numpy_in_float64():
    logits = np.random.default_rng(0).normal(0, 3, (1005, 7))
    parts = []
    for part in np.split(logits[:1000], 10):
        p = scipy.special.softmax(part, axis=1)
        parts.append(np.exp(scipy.special.rel_entr(p, p.mean(0)).sum(1).mean()))
    mean, deviation = classifier_score(logits)
    assert mean == pytest.approx(np.mean(parts), rel=1e-9)
    assert deviation == pytest.approx(np.std(parts), rel=1e-6)


def test_closed_forms():
    # Each class equally often and for certain: the number of classes
    certain = np.tile(np.eye(5) * 100, (100, 1))
    assert classifier_score(certain)[0] == pytest.approx(5, rel=1e-9)
    assert classifier_score(np.zeros((100, 5)))[0] == pytest.approx(1, abs=1e-12)
