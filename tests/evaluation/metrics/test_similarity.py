import numpy as np
import pytest

from sgan_tf.evaluation.metrics.similarity import mean_pairwise_ssim

RNG = np.random.default_rng(0)


def test_small_images():
    constant = np.full((4, 28, 28, 1), 90, np.uint8)
    assert mean_pairwise_ssim(constant) == pytest.approx(1)
    noise = RNG.integers(0, 256, (30, 28, 28, 1), dtype=np.uint8)
    assert abs(mean_pairwise_ssim(noise)) < 0.05
    # Two constant images a and b: (2ab + c) / (a^2 + b^2 + c) with c = (0.01 * 255)^2, in float32
    two = np.stack([np.full((8, 8, 1), 50, np.uint8), np.full((8, 8, 1), 200, np.uint8)])
    c = 2.55**2
    expected = (2 * 50 * 200 + c) / (50**2 + 200**2 + c)
    assert mean_pairwise_ssim(two, pairs=3) == pytest.approx(expected, rel=1e-3)


def test_large_images_on_several_scales():
    large = RNG.integers(0, 256, (2, 176, 176, 3), dtype=np.uint8)
    assert mean_pairwise_ssim(np.stack([large[0], large[0]]), pairs=2) == pytest.approx(1)
    assert mean_pairwise_ssim(large, pairs=2) < 0.5
