"""A classifier through which no gradient flows is refused before training."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from sgan_tf.models.encoder.classifier_graph import ClassifierError
from sgan_tf.models.encoder.encoder import Encoder

IMAGES = np.random.default_rng(0).random((20, 8, 8, 1), dtype=np.float32)


def classifier(first=None, middle=None):
    """A small one, with an operation on its images and one between its layers."""
    x = inputs = keras.Input((8, 8, 1))
    x = x if first is None else first(x)
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = layers.Flatten(name="flat")(x)
    x = x if middle is None else middle(x)
    x = layers.Dense(6, "relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(3, "softmax", name="scores")(x))


def rounded(x):
    return ops.round(x * 255) / 255


def through_integers(x):
    return ops.cast(ops.cast(x * 255, "uint8"), "float32") / 255


class Thresholds(layers.Layer):
    def call(self, x):
        return ops.sign(x - 0.1)


class RootOfZero(layers.Layer):
    """Its gradient at 0, of which a ReLU makes many, is infinite."""

    def call(self, x):
        return ops.sqrt(x)


@pytest.mark.parametrize(
    ("networks", "cuts", "says"),
    [
        ({"first": rounded}, ["conv"], "no gradient flows through round"),
        ({"first": rounded}, [], "no gradient flows through round"),
        ({"first": through_integers}, ["conv", "hidden"], "no gradient flows through cast"),
        ({"middle": Thresholds(name="signs")}, ["conv"], "no gradient flows through signs"),
        ({"middle": RootOfZero(name="root")}, ["conv"], "gradients are not finite through root"),
    ],
)
def test_an_operation_without_a_gradient_is_named(networks, cuts, says):
    encoder = Encoder.from_keras(classifier(**networks), cuts)
    with pytest.raises(ClassifierError, match=says) as error:
        encoder.adapt(IMAGES)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("cuts", [[], ["conv"], ["conv", "hidden"]])
def test_gradients_that_flow_are_no_fault(cuts):
    assert Encoder.from_keras(classifier(), cuts).adapt(IMAGES).activations
