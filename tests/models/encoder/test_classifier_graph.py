"""Classifiers of one's own, cut: where they can be, and that the stages are still the model."""

import keras
import numpy as np
import pytest
from classifiers import Subclassed, plain, residual
from keras import layers, ops

from sgan_tf import ConfigError, Encoder
from sgan_tf.models.encoder.adapters import candidates
from sgan_tf.models.encoder.classifier_graph import ClassifierGraph

IMAGES = np.random.default_rng(0).random((6, 8, 8, 1), dtype=np.float32)


def names(model):
    return [cut.name for cut in candidates(model)]


def nested():
    """A backbone in a model whose layers have the same names as the backbone's."""
    inner = plain(last=None, name="backbone")
    first = layers.Rescaling(2.0, -1.0, name="rescaling")
    return keras.Sequential(
        [keras.Input((8, 8, 1)), first, inner, layers.Dense(10, "softmax", name="hidden")]
    )


@pytest.mark.parametrize(
    ("make", "cuts", "shapes"),
    [
        (plain, ["hidden", "pool1"], [(4, 4, 8), (12,)]),
        (residual, ["mean", "block0_out"], [(8, 8, 6), (6,)]),
        (nested, ["backbone/conv2", "backbone"], [(4, 4, 8), (10,)]),
        (nested, ["pool1"], [(4, 4, 8)]),  # no other layer has that name
        (residual, [], []),
    ],
)
def test_the_stages_are_the_model(make, cuts, shapes):
    model = make()
    weights = [w.copy() for w in model.get_weights()]
    encoder = Encoder.from_keras(model, cuts)
    assert encoder.shapes == [(8, 8, 1), *shapes, (10,)] and encoder.num_classes == 10
    expected = model(IMAGES, training=False)
    encoder.adapt(IMAGES)  # other units, the same classifier
    logits = encoder(IMAGES)
    np.testing.assert_allclose(ops.softmax(logits), expected, atol=1e-5)
    assert np.min(logits) < 0  # no probabilities
    for before, after in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(before, after)


def test_a_subclass_is_traced_and_probabilities_are_known_by_their_values():
    model = Subclassed()
    expected = model(IMAGES)
    encoder = Encoder.from_keras(model, ["conv"])
    assert encoder.shapes == [(8, 8, 1), (6, 6, 4), (10,)]
    np.testing.assert_allclose(ops.softmax(encoder(IMAGES)), expected, atol=1e-5)
    assert np.min(encoder(IMAGES)) < 0


def test_operations_of_a_subclass_have_the_same_names_each_time():
    model = Subclassed()
    model(IMAGES)
    places = names(model)
    assert places[:4] == ["multiply", "subtract", "conv", "mean"] and names(model) == places
    for _ in range(2):
        assert Encoder.from_keras(model, ["mean"]).shapes == [(8, 8, 1), (4,), (10,)]


def test_an_operation_that_ends_in_probabilities_is_left_out():
    inputs = keras.Input((8, 8, 1))
    scores = layers.Dense(10, name="scores")(layers.Flatten(name="flat")(inputs))
    model = keras.Model(inputs, ops.softmax(scores))
    assert names(model) == ["flat"]
    logits = keras.Model(inputs, scores)(IMAGES)
    np.testing.assert_allclose(Encoder.from_keras(model, ["flat"])(IMAGES), logits, atol=1e-5)


def test_it_is_in_inference_mode_whoever_calls_it():
    model = plain(last=None)
    encoder = Encoder.from_keras(model, ["hidden"])
    expected = model(IMAGES, training=False)
    np.testing.assert_allclose(encoder(IMAGES, training=True), expected, atol=1e-5)


def test_logits_stay_as_they_are():
    model = plain(last=None)
    encoder = Encoder.from_keras(model, ["hidden"])
    np.testing.assert_allclose(encoder(IMAGES), model(IMAGES, training=False), atol=1e-5)


def test_cuts_separate_the_graph():
    blocks = [f"block{i}_{end}" for i in range(2) for end in ("add", "out")]
    assert names(residual()) == ["stem", *blocks, "mean"]
    assert names(nested())[:3] == ["rescaling", "backbone/conv1", "backbone/pool1"]
    shared = layers.Dense(12, "relu", name="twice")
    inputs = keras.Input((8, 8, 1))
    x = shared(shared(layers.Dense(12)(layers.Flatten()(inputs))))
    assert names(keras.Model(inputs, layers.Dense(3)(x)))[-2:] == ["twice", "twice#2"]


def test_what_is_no_vector_and_no_map_is_no_cut():
    inputs = keras.Input((8, 8, 1))
    tokens = layers.Reshape((16, 4), name="tokens")(inputs)
    halves = layers.Identity(name="pair")(ops.split(tokens, 2, axis=1))
    x = layers.Dense(6, name="hidden")(layers.Flatten(name="flat")(ops.concatenate(halves, 1)))
    model = keras.Model(inputs, layers.Dense(3)(x))
    assert names(model) == ["flat", "hidden"]
    with pytest.raises(ConfigError, match="tokens gives neither vectors nor maps .* cut: flat"):
        Encoder.from_keras(model, ["tokens"])


def test_a_layer_that_two_nested_models_have_is_asked_for_by_its_model():
    inputs = keras.Input((8, 8, 1))
    both = [plain(last=None, name=name)(inputs) for name in "ab"]
    model = keras.Model(inputs, layers.Dense(3, name="top")(layers.Concatenate()(both)))
    with pytest.raises(ConfigError, match="did you mean a/conv1 or b/conv1"):
        Encoder.from_keras(model, ["conv1"])


class Block(layers.Layer):
    """A user's layer; what it does with its activation is its own affair."""

    activation = "relu"

    def call(self, x):
        return -x


def test_the_graph_says_what_gives_features_where_layers_of_keras_do():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(3, 3, activation="relu", name="conv"),
            layers.AveragePooling2D(2, name="pooled"),
            layers.BatchNormalization(name="normalised"),
            layers.ReLU(name="rectified"),
            layers.Conv2D(3, 3, name="plain"),
            layers.Activation("sigmoid", name="squashed"),
            layers.Activation("linear", name="same"),
            layers.ReLU(negative_slope=0.1, name="leaky"),
            Block(name="own"),
            layers.Flatten(name="flat"),
            layers.Dense(5, activation="gelu", name="dense"),
            layers.Dense(4),
        ]
    )
    given = dict(conv="relu", pooled="relu", normalised=None, rectified="relu", plain="linear")
    given |= dict(squashed="sigmoid", same="sigmoid", leaky="linear", own=None, flat=None)
    given |= dict(dense="linear")
    parts = ClassifierGraph(model, (8, 8, 1)).cut(list(given))
    assert {part.end: part.activation for part in parts[:-1]} == given


def test_operations_are_cuts_and_say_what_they_give():
    inputs = keras.Input((8, 8, 1))
    x = ops.tanh(layers.Conv2D(3, 3, name="conv")(inputs))
    means = ops.mean(x, axis=(1, 2))
    model = keras.Model(inputs, layers.Dense(4)(2 * means))
    (conv, tanh, mean, multiply), shapes = zip(*[cut[:2] for cut in candidates(model)])
    assert conv == "conv" and shapes == ((6, 6, 3), (6, 6, 3), (3,), (3,))
    parts = ClassifierGraph(model, (8, 8, 1)).cut([tanh, mean, multiply])
    assert [part.activation for part in parts] == ["tanh", "tanh", None, None]


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        (["block1_conv"], "no layer 'block1_conv'; did you mean block1_conv2 or block1_conv1"),
        (["block1_conv2"], "block1_conv2 does not separate .* can be cut: block0_out, block1_add"),
        (["softmax"], "softmax is the classifier's output; the nearest that can be cut: mean"),
        (["scores"], "scores is the classifier's output"),
        (["stem", "mean", "stem"], "two of them name the same place"),
    ],
)
def test_cuts_that_cannot_be_are_named(cuts, message):
    with pytest.raises(ConfigError, match=message):
        Encoder.from_keras(residual(), cuts)


def two_inputs():
    a, b = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    return keras.Model([a, b], layers.Dense(3)(layers.Flatten()(layers.Add()([a, b]))))


def of_vectors():
    return keras.Sequential([keras.Input((64,)), layers.Dense(3)])


def two_outputs():
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, [layers.Dense(n)(layers.Flatten()(inputs)) for n in (3, 4)])


def of_maps():
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(3, 3)])


def too_small():
    return keras.Sequential(
        [keras.Input((None, None, 1)), layers.Conv2D(3, 9), layers.GlobalMaxPooling2D()]
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (two_inputs, "the classifier has 2 inputs; one is needed"),
        (of_vectors, r"the classifier takes \(64,\), and no images"),
        (of_maps, r"the classifier's output is \(6, 6, 3\); it should be \(K,\)"),
        (two_outputs, r"the classifier's output is several tensors; it should be \(K,\)"),
        (too_small, "run layer by layer on images of 8 x 8 x 1 .Computed output size would be"),
        (lambda: plain((8, 8, 3)).layers[0], "the classifier is no Keras model but Conv2D"),
        (lambda: keras.Sequential([layers.Dense(3)]), "the classifier is not built"),
    ],
)
def test_what_is_no_classifier_of_images_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        Encoder.from_keras(make(), [], image_shape=(8, 8, 1))


def test_colour_images_are_no_input_of_a_grey_classifier():
    with pytest.raises(ConfigError, match="takes images of 1 channels, and these have 3"):
        Encoder.from_keras(plain(), [], image_shape=(8, 8, 3))


@pytest.mark.slow
def test_a_mobilenet_on_small_grey_images():
    backbone = keras.applications.MobileNetV2((32, 32, 3), 0.35, include_top=False, weights=None)
    model = keras.Sequential(
        [backbone, layers.GlobalAveragePooling2D(name="mean"), layers.Dense(10, name="scores")]
    )
    cuts = ["Conv1_relu", "block_12_add", "mean"]
    encoder = Encoder.from_keras(model, cuts, "-1..1", image_shape=(9, 12, 1))
    assert encoder.shapes == [(9, 12, 1), (16, 16, 16), (2, 2, 32), (1280,), (10,)]
    images = np.random.default_rng(0).random((2, 9, 12, 1), dtype=np.float32)
    large = ops.image.resize(images, (32, 32), antialias=True)
    expected = model(2 * ops.repeat(large, 3, -1) - 1, training=False)
    np.testing.assert_allclose(encoder(images), expected, atol=1e-4)
    assert "block_12_expand" not in encoder.cuts
    with pytest.raises(ConfigError, match="block_12_expand does not separate"):
        Encoder.from_keras(model, ["block_12_expand"])
