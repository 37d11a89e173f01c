"""A stack of one class: nothing to ask for, no conditional loss at the top."""

import numpy as np
import pytest

from sgan_tf.config.presets import make_config
from sgan_tf.evaluation import figures
from sgan_tf.models.build import build


@pytest.fixture(scope="module")
def stack():
    return build(make_config("digits", labels="none"), (8, 8, 1), ["image"])[1]


def test_images_are_counted_in_place_of_labels(stack):
    images = stack.sample(count=3, seed=1)
    assert images.shape == (3, 8, 8, 1)
    np.testing.assert_array_equal(images, stack.sample([0, 0, 0], seed=1))
    np.testing.assert_allclose(images[2:], stack.sample(seed=1, first=2, count=1), atol=1e-5)
    for arguments, message in (
        ({}, "count must say how many"),
        ({"labels": [0], "count": 1}, "count is for sampling without labels"),
        ({"count": -1}, "count must be an integer"),
    ):
        with pytest.raises(ValueError, match=message):
            stack.sample(**arguments)


def test_a_stack_with_classes_asks_for_labels(small_stack):
    _, stack, _ = small_stack()
    with pytest.raises(ValueError, match="labels must say which of 10 classes"):
        stack.sample(count=3)


@pytest.mark.parametrize("game", ["binary", "class_logits"])
def test_the_top_level_has_no_conditional_loss(game):
    overrides = [f"levels.{i}.loss.adversarial={game}" for i in range(2)]
    config = make_config("digits", labels="none", overrides=overrides)
    assert make_config("svhn", "svhn-small", labels="none").joint.lambda_class == 0
    _, stack = build(config, (8, 8, 1), ["image"])
    assert not {"cond_1", "label_1", "label_0", "class"} & set(stack.reported)
    assert {"cond_0", "adv_1", "ent_1"} <= set(stack.reported)


def test_clusters_are_classes_to_a_stack():
    config = make_config("digits", labels="clusters:3")
    _, stack = build(config, (8, 8, 1), [f"cluster {k}" for k in range(3)])
    assert "cond_1" in stack.reported and stack.sample([0, 2]).shape == (2, 8, 8, 1)


def test_pictures_have_ten_rows_without_names(stack):
    assert figures.samples(stack).size == figures.variations(stack).size == (330, 330)
    assert figures.factors(stack, bases=2).size[1] == 4 * 33  # z_1 and z_0 of two samples
