"""The layers of a discriminator with a bounded slope: spectral normalization and projection."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sgan_tf.models.keras_internals import layers_at_any_depth
from sgan_tf.models.layers.convolution import convolve
from sgan_tf.models.layers.dtypes import UNCAST
from sgan_tf.typing import Shape, Tensor


@keras.saving.register_keras_serializable("sgan_tf")
class Spectral(keras.layers.Layer):
    """A convolution or dense layer whose weights are divided by their largest singular value.

    This is the parametrization of Miyato et al. (2018). The output is `x * W / sigma + b` with
    `sigma = v W u`, and the gradient flows through sigma. Only `iterate()`, one step of the power
    iteration, changes u and v; calls of the layer do not.

    Args:
        units: Integer. The number of output channels.
        kernel: Integer. The side of the convolution's kernel. Defaults to 0, for a dense layer.
        stride: Integer. The stride of the convolution. Defaults to 1.
        padding: String. The padding of the convolution, `same` or `valid`. Defaults to `same`.
        kernel_initializer: Keras initializer of W. Defaults to `orthogonal`.
        compute: String. The dtype of the product. Defaults to that of Keras's dtype policy; sigma
            is always float32.

    Example:

    >>> layer = Spectral(2, kernel_initializer="ones")
    >>> layer.build((None, 8))
    >>> layer.iterate()
    >>> float(layer(keras.ops.ones((1, 8)))[0, 0])
    2.0
    """

    def __init__(
        self,
        units: int,
        kernel: int = 0,
        stride: int = 1,
        padding: str = "same",
        kernel_initializer: str | dict | keras.Initializer = "orthogonal",
        compute: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, **UNCAST})
        self.compute = compute or keras.config.dtype_policy().compute_dtype
        self.units, self.kernel, self.stride, self.padding = units, kernel, stride, padding
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Shape) -> None:
        side = [self.kernel] * 2 if self.kernel else []
        self.w = self.add_weight(
            shape=(*side, input_shape[-1], self.units),
            initializer=self.kernel_initializer,
            name="w",
        )
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
        rows = input_shape[-1] * (self.kernel or 1) ** 2
        for name, size in (("u", self.units), ("v", rows)):
            ones = keras.initializers.Constant(size**-0.5)
            weight = self.add_weight(shape=(size,), initializer=ones, trainable=False, name=name)
            setattr(self, name, weight)
        # The default W is orthogonal: all its singular values are equal, so any u is as good.
        self.iterate()

    def iterate(self) -> None:
        """Runs one power iteration, `v <- W u / |W u|` and `u <- W^T v / |W^T v|`, in float32."""
        matrix = self._matrix()
        v = _unit(ops.matmul(matrix, ops.convert_to_tensor(self.u)))
        self.v.assign(v)
        self.u.assign(_unit(ops.matmul(v, matrix)))

    def call(self, x: Tensor) -> Tensor:
        matrix = self._matrix()
        u, v = ops.convert_to_tensor(self.u), ops.convert_to_tensor(self.v)
        sigma = ops.sum(ops.matmul(v, matrix) * u)
        w = ops.cast(ops.convert_to_tensor(self.w) / sigma, self.compute)
        x = ops.cast(x, self.compute)
        y = convolve(x, w, self.stride, self.padding) if self.kernel else ops.matmul(x, w)
        return y + ops.cast(self.b, self.compute)

    def compute_output_spec(self, x: Tensor) -> keras.KerasTensor:
        lost = self.kernel - 1 if self.padding == "valid" else 0
        places = [-(-(side - lost) // self.stride) for side in x.shape[1:-1]]
        return keras.KerasTensor((x.shape[0], *places, self.units), self.compute)

    def _matrix(self):
        return ops.reshape(ops.convert_to_tensor(self.w), (-1, self.units))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "kernel": self.kernel,
            "stride": self.stride,
            "padding": self.padding,
            "compute": self.compute,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable("sgan_tf")
class Projection(keras.layers.Layer):
    """The projection of a discriminator's features on labels and conditions: `[N, 1]` logits.

    As in Miyato and Koyama (2018), the logit is the inner product of the features, summed over
    positions, with an embedding of the class, a row of unit length. The inner product with an
    embedding of the condition, by a spectrally normalized matrix, is added. Labels or conditions
    that are not passed do not contribute.

    Args:
        num_classes: Integer. K. Defaults to None: no projection on labels.
        condition: Boolean. Whether to project on a condition. Defaults to False.

    Call arguments:
        features: Tensor `[N, ..., C]`. The discriminator's features.
        labels: Integer tensor `[N]`. Labels. Defaults to None.
        condition: Tensor `[N, ...]`. The condition. Defaults to None.
    """

    def __init__(
        self, num_classes: int | None = None, condition: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**{**kwargs, **UNCAST})
        self.num_classes, self.condition = num_classes, condition
        self.embed: Spectral | None = None

    def build(
        self,
        features_shape: Shape,
        labels_shape: Shape | None = None,
        condition_shape: Shape | None = None,
    ) -> None:
        size = features_shape[-1]
        if self.num_classes:
            self.classes = self.add_weight(
                shape=(self.num_classes, size), initializer="orthogonal", name="classes"
            )
        if self.condition:
            assert condition_shape is not None
            self.embed = Spectral(size, compute="float32", name="embed")
            self.embed.build((None, math.prod(condition_shape[1:])))

    def call(
        self, features: Tensor, labels: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        summed = sum_places(features)
        logits = ops.zeros_like(summed[:, :1])
        if self.num_classes and labels is not None:
            rows = _unit(ops.convert_to_tensor(self.classes))
            rows = ops.take(rows, ops.cast(labels, "int32"), axis=0)
            logits += ops.sum(summed * rows, axis=-1, keepdims=True)
        if self.embed is not None and condition is not None:
            flat = ops.reshape(condition, (ops.shape(condition)[0], -1))
            logits += ops.sum(summed * self.embed(flat), axis=-1, keepdims=True)
        return logits

    def compute_output_shape(
        self,
        features_shape: Shape,
        labels_shape: Shape | None = None,
        condition_shape: Shape | None = None,
    ) -> Shape:
        return (features_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "num_classes": self.num_classes, "condition": self.condition}


@keras.saving.register_keras_serializable("sgan_tf")
class FeatureHeads(keras.layers.Layer):
    """A discriminator's logits `[N, 1]` on features of a frozen classifier, at several depths.

    As in Projected GAN (Sauer et al., 2021), each depth has its own head: a 3 x 3 convolution,
    LeakyReLU, the sum over positions and a linear layer. Both layers have spectral normalization.

    Args:
        shapes: List of tuples `(H, W, C)`. The shapes of the maps.
        weight: Float. The factor of the mean of the heads' logits. Defaults to 0.1.
        channels: Integer. The number of channels of the convolutions. Defaults to 64.

    Call arguments:
        features: List of tensors `[N, H, W, C]`. The maps.
    """

    def __init__(
        self,
        shapes: Sequence[Sequence[int]],
        weight: float = 0.1,
        channels: int = 64,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, **UNCAST})
        self.shapes, self.weight, self.channels = [tuple(s) for s in shapes], weight, channels
        self.maps = [Spectral(channels, 3, name=f"map{i}") for i in range(len(shapes))]
        self.logits = [Spectral(1, compute="float32", name=f"logit{i}") for i in range(len(shapes))]

    def build(self, features_shape: list[Shape] | None = None) -> None:
        for to_map, to_logit, shape in zip(self.maps, self.logits, self.shapes):
            to_map.build((None, *shape))
            to_logit.build((None, self.channels))
        self.built = True

    def call(self, features: Sequence[Tensor]) -> Tensor:
        heads = zip(self.maps, self.logits, features)
        logits = [
            to_logit(sum_places(ops.leaky_relu(to_map(x), 0.1))) for to_map, to_logit, x in heads
        ]
        return self.weight * sum(logits) / len(logits)

    def get_config(self) -> dict[str, Any]:
        settings = {"shapes": self.shapes, "weight": self.weight, "channels": self.channels}
        return {**super().get_config(), **settings}


@keras.saving.register_keras_serializable("sgan_tf")
class SumPlaces(keras.layers.Layer):
    """Sums a map over its positions, in float32; vectors keep their shape."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, **UNCAST})

    def call(self, x: Tensor) -> Tensor:
        return sum_places(x)

    def compute_output_shape(self, shape: Shape) -> Shape:
        return (shape[0], shape[-1])


def sum_places(x: Tensor) -> Tensor:
    """Returns the sums of maps `[N, H, W, C]` over their positions, float32 `[N, C]`."""
    x = ops.cast(x, "float32")
    return ops.sum(x, axis=(1, 2)) if len(x.shape) == 4 else x


def spectral_layers(network: keras.Model) -> list[Spectral]:
    """Returns the `Spectral` layers of a model, at any depth."""
    return [layer for layer in layers_at_any_depth(network) if isinstance(layer, Spectral)]


def _unit(x):
    return x / ops.maximum(ops.norm(x, axis=-1, keepdims=True), 1e-12)
