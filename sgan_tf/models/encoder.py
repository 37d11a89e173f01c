"""The classifier E and its stages E_0 … E_{N-1}, cut at named layers."""

import keras
from keras import layers, ops

from sgan_tf.config import ENCODER_LAYERS, MAP_LAYERS, check_image_size
from sgan_tf.models.layers import Dropout, SubtractMean


class Encoder(keras.Model):
    """The paper's classifier: conv1 - pool1 - conv2 - pool2 - fc3 - fc4, all ReLU but the last.

    Trained with `fit` on images and labels as any Keras classifier, then frozen with `trainable = False`.

    Args:
        config: An `EncoderConfig`.
        image_shape: `(H, W, C)`; images are float32 in [0, 1].
        num_classes: K.
        cuts: Names of layers, bottom up. `h_i` is the output of the i-th (from 1), after its ReLU;
            `h_0` is the image, and the last stage ends in the class logits.

    Attributes:
        stages: `[E_0, …, E_{N-1}]`, Keras models with `h_{i+1} = stages[i](h_i)`.
        shapes: `[h_0, …, h_N]` without the batch dimension; `h_N` is `(K,)`, the logits or a one-hot label.
        center: The layer that subtracts the mean image, or None.

    Raises:
        ConfigError: when the image's size does not fit the layers.
    """

    def __init__(self, config, image_shape, num_classes, cuts=("fc3",), **kwargs):
        super().__init__(**kwargs)
        self.config, self.image_shape, self.num_classes, self.cuts = (
            config,
            tuple(image_shape),
            num_classes,
            tuple(cuts),
        )
        check_image_size(config, image_shape[0])
        self.center = SubtractMean(name="center") if config.subtract_mean else None
        groups = self._layers_by_name()
        ends = [0, *(ENCODER_LAYERS.index(cut) + 1 for cut in self.cuts), len(groups)]
        self.shapes, self.stages = [self.image_shape], []
        for i, (start, end) in enumerate(zip(ends[:-1], ends[1:])):
            parts = [layer for group in list(groups.values())[start:end] for layer in group]
            stage = keras.Sequential([keras.Input(self.shapes[-1]), *parts], name=f"e{i}")
            self.stages.append(stage)
            self.shapes.append(tuple(stage.output_shape[1:]))
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        self.cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.built = True

    def _layers_by_name(self):
        c = self.config

        def convolution(name, channels):
            return layers.Conv2D(
                channels,
                c.kernel_size,
                padding=c.padding,
                activation="relu",
                kernel_initializer="he_normal",
                name=name,
            )

        return {
            "conv1": ([self.center] if self.center else []) + [convolution("conv1", c.channels[0])],
            "pool1": [layers.MaxPooling2D(2, name="pool1")],
            "conv2": [convolution("conv2", c.channels[1])],
            "pool2": [layers.MaxPooling2D(2, name="pool2")],
            "fc3": [
                layers.Flatten(name="flatten"),
                layers.Dense(
                    c.units, activation="relu", kernel_initializer="he_normal", name="fc3"
                ),
            ],
            "fc4": ([Dropout(c.dropout, name="dropout")] if c.dropout else [])
            + [layers.Dense(self.num_classes, name="fc4")],
        }

    def mirrored(self, i):
        """Returns the kinds (`conv`, `pool`) of E_i's map layers from the top down: what a G_i of maps undoes."""
        start, *ends = [
            0,
            *(ENCODER_LAYERS.index(cut) + 1 for cut in self.cuts),
            len(ENCODER_LAYERS),
        ][i:]
        return [name[:-1] for name in reversed(MAP_LAYERS[start : ends[0]])]

    def call(self, images, training=False):
        """Returns the class logits `[N, K]` of `images` `[N, H, W, C]`."""
        for stage in self.stages:
            images = stage(images, training=training)
        return images

    def features(self, images):
        """Returns `[h_1, …, h_{N-1}, logits]` of `images`, as the frozen encoder gives them."""
        outputs = []
        for stage in self.stages:
            images = stage(images, training=False)
            outputs.append(images)
        return outputs

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.cross_entropy(y, y_pred, sample_weight)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.accuracy.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    @property
    def metrics(self):
        return [self._loss_tracker, self.accuracy]

    def networks(self):
        """Returns `{group: variables}` of the network alone."""
        return {"encoder": [v for stage in self.stages for v in stage.variables]}

    def state(self):
        """Returns `{group: variables}`: all that training changes, for checkpoints of the compiled model."""
        return {
            **self.networks(),
            "optimizer": self.optimizer.variables,
            "metrics": [v for m in self.metrics for v in m.variables],
        }


def one_hot(labels, num_classes):
    """Returns float32 `[N, K]`: labels as the condition of the top generator."""
    return ops.one_hot(ops.cast(labels, "int32"), num_classes, dtype="float32")
