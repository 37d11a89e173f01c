import random

import keras
import numpy as np
import pytest
from shared import DIGITS

from sgan_tf.config.presets import make_config
from sgan_tf.config.schema import EncoderConfig
from sgan_tf.config.validation import ENCODER_LAYERS, ConfigError
from sgan_tf.models.build import build
from sgan_tf.models.encoder.encoder import Encoder, build_encoder


def test_stages_compose_to_the_classifier_for_any_cuts():
    images = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)
    for cuts in ([], ["fc3"], ["pool2", "fc3"], list(ENCODER_LAYERS)):
        encoder = build_encoder(EncoderConfig(), (28, 28, 1), 10, cuts)
        assert len(encoder.stages) == len(cuts) + 1
        *features, logits = encoder.features(images)
        assert [tuple(h.shape[1:]) for h in features] == encoder.shapes[1:-1]
        np.testing.assert_allclose(encoder(images), logits, rtol=1e-5)


def test_the_papers_shapes():
    config = EncoderConfig(channels=[64, 128])
    encoder = build_encoder(config, (32, 32, 3), 10, ENCODER_LAYERS)
    assert encoder.shapes == [
        (32, 32, 3),
        (28, 28, 64),
        (14, 14, 64),
        (10, 10, 128),
        (5, 5, 128),
        (256,),
        (10,),
    ]


@pytest.mark.parametrize("side", [30, 27, 4])
def test_a_size_that_no_generator_could_mirror_is_refused(side):
    message = f"cannot produce {side} x {side} pixels; sizes near it that they can: "
    with pytest.raises(ConfigError, match=message):
        build_encoder(EncoderConfig(), (side, side, 1), 10)


@pytest.mark.parametrize(
    ("dataset", "preset", "shape", "cuts"),
    [
        ("mnist", "mnist", (28, 28, 1), []),
        ("mnist", "mnist", (28, 28, 1), ["pool2", "fc3"]),
        ("mnist", "mnist-release-independent", (28, 28, 1), ["fc3"]),
        ("svhn", "svhn-release", (32, 32, 3), ["fc3"]),
        ("svhn", "svhn-release", (32, 32, 3), ["conv1", "pool1", "conv2"]),
        ("svhn", "svhn-small", (64, 64, 3), ["pool2", "fc3"]),
    ],
)
def test_generators_mirror_the_encoder(dataset, preset, shape, cuts):
    encoder, stack = build(make_config(dataset, preset, cuts), shape, DIGITS)
    for level, target in zip(stack.levels, encoder.shapes):
        assert level.generator.output_shape[1:] == target
        logits, z = level.discriminator(np.zeros((2, *target), np.float32))
        assert logits.shape == (2, 10 if level.config.loss.adversarial == "class_logits" else 1)
        assert z.shape == (2, level.config.z_dim)


def test_the_releases_mnist_networks():
    _, stack = build(make_config("mnist", "mnist-release"), (28, 28, 1), DIGITS)
    shapes = [
        tuple(v.shape) for v in stack.levels[0].generator.trainable_variables if len(v.shape) > 1
    ]
    assert shapes == [
        (50, 128),
        (128 + 256, 128 * 16),
        (5, 5, 128, 128),
        (5, 5, 64, 128),
        (5, 5, 64, 64),
        (5, 5, 1, 64),
    ]
    trunk = stack.levels[0].discriminator.trunk.trainable_variables
    assert [tuple(v.shape) for v in trunk if len(v.shape) > 1] == [
        (5, 5, 1, 32),
        (5, 5, 32, 64),
        (5, 5, 64, 128),
        (2048, 256),
    ]


def test_the_releases_cifar10_networks():
    _, stack = build(make_config("cifar10", "cifar10-release"), (32, 32, 3), DIGITS)
    shapes = [
        tuple(v.shape)
        for v in stack.levels[0].discriminator.trunk.trainable_variables
        if len(v.shape) == 4
    ]
    assert shapes == [
        (3, 3, 3, 96),
        (3, 3, 96, 96),
        (3, 3, 96, 192),
        (3, 3, 192, 192),
        (3, 3, 192, 192),
        (1, 1, 192, 192),
    ]
    assert stack.levels[0].discriminator.trunk.output_shape[1:] == (6, 6, 192)
    assert stack.levels[0].discriminator.posterior.weights[0].shape == (6 * 6 * 192, 16)
    assert stack.levels[0].discriminator.logits.weights[0].shape == (192, 10)
    shapes = [
        tuple(v.shape) for v in stack.levels[1].generator.trainable_variables if len(v.shape) == 2
    ]
    assert sorted(shapes) == sorted(
        [(50, 256), (10, 512), (256 + 512, 512), (512, 512), (512, 256)]
    )


def test_a_stage_that_does_not_fit_is_refused():
    lower = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    upper = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"stages\[1\] takes \(5,\), but .* gives \(4,\)"):
        Encoder([lower, upper])


def test_poolings_alone_are_undone_by_a_kernel_that_can_be_chosen():
    """With a cut below and above pool1, no convolution says how wide the kernel should be."""
    for overrides, kernel in (([], 5), (["levels.1.generator.kernel_size=3"], 3)):
        config = make_config("digits", cuts=["conv1", "pool1"], overrides=overrides)
        _, stack = build(config, (8, 8, 1), DIGITS)
        assert stack.levels[1].generator.get_layer("output").kernel_size == (kernel, kernel)


def test_building_leaves_the_global_random_generators_alone():
    states = random.getstate(), np.random.get_state()[1].copy()
    first = build(make_config("digits"), (8, 8, 1), DIGITS)[1]
    assert random.getstate() == states[0] and (np.random.get_state()[1] == states[1]).all()
    again = build(make_config("digits"), (8, 8, 1), DIGITS)[1]
    for a, b in zip(first.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(a, b)
