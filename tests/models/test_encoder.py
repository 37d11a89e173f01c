import numpy as np
import pytest

from sgan_tf.config import ENCODER_LAYERS, ConfigError, EncoderConfig, make_config
from sgan_tf.models.encoder import Encoder
from sgan_tf.training.pipeline import build


def test_stages_compose_to_the_classifier_for_any_cuts():
    images = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)
    for cuts in ([], ["fc3"], ["pool2", "fc3"], list(ENCODER_LAYERS)):
        encoder = Encoder(EncoderConfig(), (28, 28, 1), 10, cuts)
        assert len(encoder.stages) == len(cuts) + 1
        *features, logits = encoder.features(images)
        assert [tuple(h.shape[1:]) for h in features] == encoder.shapes[1:-1]
        np.testing.assert_allclose(encoder(images), logits, rtol=1e-5)


def test_the_papers_shapes():
    encoder = Encoder(EncoderConfig(channels=[64, 128]), (32, 32, 3), 10, ENCODER_LAYERS)
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
    with pytest.raises(
        ConfigError, match=f"cannot produce {side} x {side} pixels; sizes near it that they can: "
    ):
        Encoder(EncoderConfig(), (side, side, 1), 10)


@pytest.mark.parametrize(
    ("dataset", "preset", "shape"),
    [
        ("mnist", "mnist", (28, 28, 1)),
        ("mnist", "mnist-release", (28, 28, 1)),
        ("svhn", "svhn-small", (32, 32, 3)),
        ("svhn", "svhn-small", (64, 64, 3)),
    ],
)
@pytest.mark.parametrize("cuts", [[], ["fc3"], ["pool2", "fc3"], ["conv1", "pool1", "conv2"]])
def test_generators_mirror_the_encoder(dataset, preset, shape, cuts):
    encoder, stack = build(make_config(dataset, preset, cuts), shape, 10)
    for level, target in zip(stack.levels, encoder.shapes):
        assert level.generator.output_shape[1:] == target
        logits, z = level.discriminator(np.zeros((2, *target), np.float32))
        assert logits.shape == (2, 10 if level.level.adversarial == "class_logits" else 1)
        assert z.shape == (2, level.level.z_dim)


def test_the_releases_mnist_networks():
    _, stack = build(make_config("mnist", "mnist-release"), (28, 28, 1), 10)
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
    _, stack = build(make_config("cifar10"), (32, 32, 3), 10)
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
