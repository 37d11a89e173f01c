"""What a seed stands for: an endless row of images that can be entered anywhere."""

import numpy as np
import pytest
import tensorflow as tf

LABELS = np.arange(230) % 10  # more than two batches
ODD = ["levels.0.z_dim=7", "levels.1.z_dim=9", "levels.1.noise=normal"]  # Philox counts by fours


@pytest.fixture(scope="module")
def stack(small_stack):
    _, stack, _ = small_stack(overrides=ODD)
    move_weights(stack)
    return stack


def move_weights(stack):
    """Moves the generators' weights away from the initial ones, which give nearly one image."""
    rng = np.random.default_rng(0)
    for variable in stack.generator_variables():
        variable.assign(variable + rng.normal(0, 0.1, variable.shape))


@pytest.mark.parametrize("seed", [0, 5, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("first", [1, 2, 3, 4, 117])
def test_noise_can_be_entered_anywhere(stack, seed, first):
    whole, rest = stack.noise(120, seed), stack.noise(120 - first, seed, first)
    np.testing.assert_array_equal(whole[0][first:], rest[0])
    # Normal noise is a function of such draws, whose last bit follows the processor's vectors.
    np.testing.assert_allclose(whole[1][first:], rest[1], rtol=1e-6)


def test_noise_is_what_tensorflow_draws_for_the_seed(stack):
    for z, level in zip(stack.noise(50, 3), stack.levels):
        u = tf.random.stateless_uniform([50, level.config.z_dim], [3, level.index])
        np.testing.assert_array_equal(z, np.asarray(level.noise_distribution.of_uniform(u)))


def test_far_rows_are_drawn_as_well(stack):
    far = 2**48 - 3
    z, next_one = stack.noise(2, 1, far), stack.noise(1, 1, far + 1)
    np.testing.assert_array_equal(z[0][1:], next_one[0])
    assert abs(z[0] - stack.noise(2, 1)[0]).max() > 0.1


def test_an_image_is_its_labels_its_seeds_and_its_numbers(stack):
    images = stack.sample(LABELS, seed=4)
    for first in (1, 77, 150):
        rest = stack.sample(LABELS[first:], seed=4, first=first)
        np.testing.assert_allclose(rest, images[first:], atol=1e-5)
    others = np.where(np.arange(230) == 5, 3, LABELS)
    changed = np.abs(stack.sample(others, seed=4) - images).max((1, 2, 3)) > 1e-3
    assert np.flatnonzero(changed).tolist() == [5]


def test_sampling_is_decoding_the_seeds_noise(stack):
    images = stack.sample(LABELS, seed=4, first=9)
    noise = stack.noise(len(LABELS), 4, 9)
    h_1 = stack.features(LABELS, noise, 1)
    for same in (
        stack.decode(LABELS, noise),
        stack.features(LABELS, noise, 0),
        stack.decode(h_1, noise, top=0),
    ):
        np.testing.assert_allclose(same, images, atol=1e-5)


def test_the_networks_are_traced_once_for_any_number_of_images(small_stack, monkeypatch):
    _, stack, _ = small_stack()
    chain, traced = stack.chain, []
    monkeypatch.setattr(stack, "chain", lambda *a, **k: traced.append(1) or chain(*a, **k))
    for count in (1, 16, 230, 0):
        assert stack.sample(LABELS[:count]).shape == (count, 8, 8, 1)
    assert len(traced) == 1


def test_weights_that_change_are_seen(small_stack):
    _, stack, _ = small_stack()
    before = stack.sample([1, 2], seed=0)
    move_weights(stack)
    assert np.abs(stack.sample([1, 2], seed=0) - before).max() > 1e-3


@pytest.mark.parametrize("first", [-1, 1.5, 2**48])
def test_numbers_that_cannot_be(stack, first):
    with pytest.raises(ValueError, match=r"first must be an integer in \[0, 281474976710656\)"):
        stack.sample([1], seed=0, first=first)
