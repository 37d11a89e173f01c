import numpy as np
import pytest

from sgan_tf.evaluation.spread import class_spread


def test_closed_forms():
    labels = np.repeat([0, 1, 2], 40_000)
    h = np.random.default_rng(0).normal(0, 2, (120_000, 3)) + 10 * labels[:, None]
    assert class_spread(h, labels) == pytest.approx(2 * np.sqrt(3), rel=1e-2)


def test_a_class_of_one_is_left_out():
    labels = np.append(np.repeat([0, 1, 2], 40), 9)
    assert class_spread(labels[:, None], labels) == 0
