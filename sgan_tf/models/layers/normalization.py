"""Batch normalization, fused where possible, and modulated by an embedding."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from sgan_tf.models.keras_internals import layers_at_any_depth
from sgan_tf.models.layers.dtypes import UNCAST
from sgan_tf.models.layers.replicas import replica_context
from sgan_tf.typing import Shape, Tensor


@keras.saving.register_keras_serializable("sgan_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization over the last axis, of the global batch on several replicas.

    On one TensorFlow device, training runs the fused kernel. On CPUs it is several times faster
    than the operations that Keras uses. Both give the same values, including the (biased) moving
    variance. Inputs may be float32 or bfloat16, and outputs have the same type. Statistics, scale
    and shift are always float32.

    Args:
        momentum: Float. The momentum of the moving averages, as in Keras. Defaults to 0.9, as in
            the authors' code.
        epsilon: Float. A small number added to the variance, as in Keras. Defaults to 1e-6, as in
            the authors' code.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-6, **kwargs: Any) -> None:
        kwargs = {**kwargs, **UNCAST}
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        context = replica_context()
        training = bool(training and self.trainable)
        half = keras.backend.standardize_dtype(inputs.dtype) == "bfloat16"
        if mask is not None or context is None or not (training or half):
            return super().call(inputs, training=training, mask=mask)
        ones, zeros = ops.ones_like(self.moving_mean), ops.zeros_like(self.moving_mean)
        gamma = ops.convert_to_tensor(self.gamma) if self.scale else ones
        beta = ops.convert_to_tensor(self.beta) if self.center else zeros
        if not training:
            return self._fused(inputs, gamma, beta, training=False)[0]
        alone = context.num_replicas_in_sync == 1
        normalize = self._fused if alone else self._synchronized
        outputs, mean, variance = normalize(inputs, gamma, beta)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs

    def compute_output_spec(self, inputs: Tensor, **kwargs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, inputs.dtype)

    def _fused(self, inputs, gamma, beta, training=True):
        import tensorflow as tf

        channels = inputs.shape[-1]
        images = inputs if len(inputs.shape) == 4 else tf.reshape(inputs, [-1, 1, 1, channels])
        empty = tf.zeros([0])
        moving = [ops.convert_to_tensor(v) for v in (self.moving_mean, self.moving_variance)]
        mean, variance = [empty, empty] if training else moving
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=gamma,
            offset=beta,
            mean=mean,
            variance=variance,
            epsilon=self.epsilon,
            is_training=training,
        )
        count = tf.cast(tf.size(images) // channels, tf.float32)
        variance *= (count - 1) / count  # the kernel reports the unbiased variance
        return tf.reshape(outputs, tf.shape(inputs)), mean, variance

    def _synchronized(self, inputs, gamma, beta):
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        x = tf.cast(inputs, tf.float32)
        moments = tf.stack(tf.nn.moments(x, list(range(len(inputs.shape) - 1))))
        # Each replica writes its moments into its row of zeros, so that one small sum gathers them.
        # Keras sums the moments of x and x^2, whose difference is inaccurate for a large mean.
        row = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync)
        rows = context.all_reduce(tf.distribute.ReduceOp.SUM, row[:, None, None] * moments)
        means, variances = rows[:, 0], rows[:, 1]
        # Replicas hold equal shares of the batch.
        mean = tf.reduce_mean(means, 0)
        variance = tf.reduce_mean(variances + tf.square(means - mean), 0)
        outputs = tf.nn.batch_normalization(x, mean, variance, beta, gamma, self.epsilon)
        return tf.cast(outputs, inputs.dtype), mean, variance


def copied(network: keras.Model) -> keras.Model:
    """Returns a copy of a network with the same layers and weights."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


@contextlib.contextmanager
def statistics_replaced(network: keras.Model) -> Iterator[None]:
    """Context in which a training pass replaces a network's moving statistics by the batch's."""
    layers = [x for x in layers_at_any_depth(network) if isinstance(x, BatchNormalization)]
    before = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = 0.0
        yield
    finally:
        for layer, momentum in zip(layers, before):
            layer.momentum = momentum


@keras.saving.register_keras_serializable("sgan_tf")
class Modulated(keras.layers.Layer):
    """Batch normalization whose scale and shift are functions of an embedding (Chen et al., 2019).

    The output is `gamma(e) * normalized(x) + beta(e)`, with `gamma = 1 + W e + b` and
    `beta = V e + c`. This is the self-modulation of a generator if e embeds its condition and
    noise.

    Call arguments:
        x: Tensor `[N, ..., C]`. The inputs.
        embedding: Tensor `[N, D]`. The embedding e.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, **UNCAST})
        self.norm = BatchNormalization(center=False, scale=False, name="norm")

    def build(self, x_shape: Shape, embedding_shape: Shape | None = None) -> None:
        channels = x_shape[-1]
        self.norm.build(x_shape)
        # One product computes both, because the cost of a small product is mainly its call.
        self.modulation = keras.layers.Dense(
            2 * channels, kernel_initializer="zeros", name="modulation", dtype="float32"
        )
        self.modulation.build(embedding_shape)

    def compute_output_spec(self, x: Tensor, embedding: Tensor, **kwargs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x: Tensor, embedding: Tensor, training: bool = False) -> Tensor:
        scale, shift = ops.split(ops.cast(self.modulation(embedding), x.dtype), 2, axis=-1)
        x = self.norm(x, training=training)
        if len(x.shape) == 4:
            scale, shift = scale[:, None, None], shift[:, None, None]
        return x * (1 + scale) + shift
