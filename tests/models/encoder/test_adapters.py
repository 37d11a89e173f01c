"""A given classifier's images and features: what it expects, and units of their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from classifiers import plain
from keras import layers

from sgan_tf import ConfigError, Encoder, LevelConfig
from sgan_tf.config.schema import GeneratorConfig
from sgan_tf.models.encoder.adapters import ExpectedImages, FeatureStatistics
from sgan_tf.models.networks.generators import build_generator

IMAGES = np.random.default_rng(0).random((40, 8, 8, 3), dtype=np.float32)


def test_ranges_are_those_of_keras_applications():
    applications = keras.applications
    for input_range, module in (
        ("-1..1", applications.mobilenet_v2),
        ("imagenet", applications.densenet),
        ("caffe", applications.resnet),
        ("0..255", applications.efficientnet),
    ):
        expected = module.preprocess_input(255 * IMAGES)
        found = ExpectedImages((8, 8, 3), input_range)(IMAGES)
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_images_are_resized_and_repeated_differentiably():
    grey = tf.constant(IMAGES[:2, :, :, :1])
    with tf.GradientTape() as tape:
        tape.watch(grey)
        expected = ExpectedImages((4, 6, 3))(grey)
        total = tf.reduce_sum(expected[..., 1])
    assert expected.shape == (2, 4, 6, 3)
    for size in ((4, 6), (5, 20), (8, 3)):
        found = ExpectedImages((*size, 1))(grey)
        resized = tf.image.resize(grey, size, antialias=True)
        np.testing.assert_allclose(found, resized, atol=1e-5)
    gradient = tape.gradient(total, grey).numpy()
    assert (gradient != 0).all() and np.isclose(gradient.sum(), 2 * 4 * 6, rtol=1e-4)
    assert ExpectedImages((8, 8))(grey).shape == (2, 8, 8)  # a classifier without channels


def test_a_function_prepares_images():
    model = plain(last=None)
    encoder = Encoder.from_keras(model, ["hidden"], lambda images: 1 - images)
    images = IMAGES[..., :1]
    np.testing.assert_allclose(encoder(images), model(1 - images, training=False), atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "found", "spread"),
    [("relu", "relu", 1), ("gelu", "linear", 1), ("sigmoid", "sigmoid", 0), ("tanh", "tanh", 0)],
)
def test_features_get_units_by_their_range(activation, found, spread):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(5, 3, name="conv", kernel_initializer=keras.initializers.Ones()),
            layers.Rescaling(1.0, -13.5),
            layers.Activation(activation, name="cut"),
            layers.Flatten(),
            layers.Dense(4, name="scores"),
        ]
    )
    encoder = Encoder.from_keras(model, ["cut"])
    (raw,), before = encoder.features(IMAGES)[:1], encoder(IMAGES)
    assert encoder.adapt(IMAGES).activations == ["sigmoid", found]
    (h,) = encoder.features(IMAGES)[:1]
    raw, h = np.asarray(raw), np.asarray(h)
    if spread:
        np.testing.assert_allclose(h.std(axis=(0, 1, 2)), 1, rtol=1e-3)
    else:
        np.testing.assert_array_equal(h, raw)
    if found == "relu":
        np.testing.assert_array_equal(h == 0, raw == 0)
    np.testing.assert_allclose(encoder(IMAGES), before, atol=1e-3)
    encoder.adapt(IMAGES)  # again, from the raw features
    np.testing.assert_allclose(encoder.features(IMAGES)[0], h, atol=1e-4)


@pytest.mark.parametrize(
    ("low", "high", "told", "found"),
    [
        (0.03, 0.97, None, "relu"),  # as of a ReLU whose maps are averaged
        (0.001, 0.999, None, "sigmoid"),
        (0.001, 0.999, "relu", "relu"),
        (0.0, 0.999, None, "relu"),  # a sigmoid leaves no zeros
        (0.03, 0.97, "sigmoid", "sigmoid"),
        (-0.97, 0.97, None, "linear"),
        (-0.999, 0.999, None, "tanh"),
    ],
)
def test_what_the_graph_does_not_say_both_ends_of_the_range_do(low, high, told, found):
    statistics = FeatureStatistics("cut", told)
    statistics.add(np.linspace(low, high, 50).reshape(10, 5))
    assert statistics.standardization().activation == found


def test_features_beyond_numbers_are_refused():
    huge = layers.Rescaling(1e38)
    parts = [keras.Input((8, 8, 3)), layers.Flatten(), huge, layers.Rescaling(1e38, name="huge")]
    model = keras.Sequential([*parts, layers.Dense(4)])
    with pytest.raises(ConfigError, match="the features of huge are not finite"):
        Encoder.from_keras(model, ["huge"]).adapt(IMAGES)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "the weights .*hidden/kernel are not finite"),
        (0.0, r"the features of hidden are the same for all images \(a dead layer\)"),
    ],
)
def test_features_that_say_nothing_are_refused(value, message):
    model = plain((8, 8, 3))
    kernel, bias = model.get_layer("hidden").weights
    kernel.assign(np.full(kernel.shape, value))
    bias.assign(np.ones(bias.shape))
    with pytest.raises(ConfigError, match=message):
        Encoder.from_keras(model, ["conv1", "hidden"]).adapt(IMAGES)


def test_it_is_saved_with_its_units(tmp_path):
    encoder = Encoder.from_keras(plain((8, 8, 3)), ["pool1", "hidden"], "-1..1").adapt(IMAGES)
    encoder.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    assert again.activations == encoder.activations and again.cuts == ["pool1", "hidden"]
    for a, b in zip(again.features(IMAGES), encoder.features(IMAGES)):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("condition", [(10,), (1, 1, 5), (4, 4, 5), (3, 5, 2)])
@pytest.mark.parametrize("target", [(7, 7, 3), (9, 12, 1), (1, 1, 6), (4, 4, 2), (2, 9, 3), (6,)])
def test_a_generator_of_any_shape_from_any(target, condition):
    stage = keras.Sequential([keras.Input(target), layers.Flatten()])
    family = "dense" if len(target) == 1 else "shapes"
    settings = GeneratorConfig(family, channels=[8, 4], units=[8])
    config = LevelConfig(z_dim=3, generator=settings)
    generator = build_generator(config, stage, condition, "linear")
    made = generator([np.zeros((2, *condition), np.float32), np.ones((2, 3), np.float32)])
    assert made.shape == (2, *target)
