"""Small Keras classifiers as their owners write them."""

import keras
from keras import layers, ops


def plain(shape=(8, 8, 1), classes=10, last="softmax", name="plain"):
    """Convolutions, a dense layer, and what the last layer ends in."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv2"),
            layers.Flatten(name="flat"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(12, activation="relu", name="hidden"),
            layers.Dense(classes, activation=last, name="scores"),
        ],
        name=name,
    )


def residual(shape=(8, 8, 1), classes=10):
    """Two blocks with skip connections, normalised, and a softmax layer."""
    x = inputs = keras.Input(shape)
    x = layers.Conv2D(6, 3, padding="same", name="stem")(x)
    for i in range(2):
        y = layers.Conv2D(6, 3, padding="same", use_bias=False, name=f"block{i}_conv1")(x)
        y = layers.BatchNormalization(name=f"block{i}_bn")(y)
        y = layers.ReLU(name=f"block{i}_relu")(y)
        y = layers.Conv2D(6, 3, padding="same", name=f"block{i}_conv2")(y)
        x = layers.ReLU(name=f"block{i}_out")(layers.Add(name=f"block{i}_add")([x, y]))
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(classes, name="scores")(x)
    return keras.Model(inputs, layers.Softmax(name="softmax")(x), name="residual")


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """Layers that `call` joins by operations of its own; its values prove to be probabilities."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(4, 3, activation="relu", name="conv")
        self.scores = layers.Dense(10, name="scores")

    def call(self, images, training=False):
        h = self.conv(2 * images - 1)
        return ops.softmax(self.scores(ops.mean(h, axis=(1, 2))))
