"""Layers that Keras lacks, or has in a form that will not do here. Keras only, with TensorFlow fast paths."""

import keras
from keras import ops


def _replica_context():
    """Returns TensorFlow's replica context, or None outside `strategy.run` and on other backends."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()


class SeedGenerator(keras.random.SeedGenerator):
    """A Keras `SeedGenerator` whose draws differ between the replicas of a `tf.distribute` strategy.

    Its state is the same everywhere, so one copy of it in a checkpoint serves any number of devices.
    """

    _STRIDE = 0x9E3779B97F4A7C15 >> 1  # far apart, so that no replica meets another layer's seed

    def next(self, ordered=True):
        seed = super().next(ordered)
        context = _replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return seed
        shift = ops.cast(context.replica_id_in_sync_group, seed.dtype) * ops.cast(
            self._STRIDE, seed.dtype
        )
        return seed + ops.stack([shift, ops.zeros_like(shift)])


class GaussianNoise(keras.layers.Layer):
    """Adds Gaussian noise while training, as Keras's layer does, but noise of its own on every replica.

    Args:
        stddev: Standard deviation, in the units of the input.
    """

    def __init__(self, stddev, **kwargs):
        super().__init__(**kwargs)
        self.stddev = stddev
        self.seed_generator = SeedGenerator()

    def call(self, inputs, training=False):
        if not training:
            return inputs
        return inputs + keras.random.normal(
            ops.shape(inputs), stddev=self.stddev, seed=self.seed_generator
        )

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}


class Dropout(keras.layers.Layer):
    """Sets a fraction of the input to 0 while training, as Keras's layer does, but another one on every replica.

    Args:
        rate: The fraction, in [0, 1).
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = SeedGenerator()

    def call(self, inputs, training=False):
        if not training:
            return inputs
        return keras.random.dropout(inputs, self.rate, seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


class SubtractMean(keras.layers.Layer):
    """Subtracts a stored mean image of shape `[H, W, C]` (0 until it is assigned to `mean`)."""

    def build(self, input_shape):
        self.mean = self.add_weight(
            shape=input_shape[1:], initializer="zeros", trainable=False, name="mean"
        )

    def call(self, inputs):
        return inputs - ops.convert_to_tensor(self.mean)


class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation over the last axis, with statistics of the global batch on several replicas.

    On one TensorFlow device training runs the fused kernel, several times faster on CPUs than the
    composition that Keras uses; both give the same values, the same (biased) moving variance included.

    Args:
        momentum, epsilon: As in Keras; the defaults are the reference networks' (0.9 and 1e-6).
    """

    def __init__(self, momentum=0.9, epsilon=1e-6, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None, mask=None):
        context = _replica_context()
        if (
            not (training and self.trainable)
            or mask is not None
            or context is None
            or inputs.dtype != "float32"
        ):
            return super().call(inputs, training=training, mask=mask)
        gamma, beta = ops.convert_to_tensor(self.gamma), ops.convert_to_tensor(self.beta)
        normalize = self._fused if context.num_replicas_in_sync == 1 else self._synchronized
        outputs, mean, variance = normalize(inputs, gamma, beta, context)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs

    def _fused(self, inputs, gamma, beta, context):
        import tensorflow as tf

        channels = inputs.shape[-1]
        images = inputs if len(inputs.shape) == 4 else tf.reshape(inputs, [-1, 1, 1, channels])
        empty = tf.zeros([0])
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=gamma,
            offset=beta,
            mean=empty,
            variance=empty,
            epsilon=self.epsilon,
            is_training=True,
        )
        count = tf.cast(tf.size(images) // channels, tf.float32)
        variance *= (count - 1) / count  # the kernel reports the unbiased variance
        return tf.reshape(outputs, tf.shape(inputs)), mean, variance

    def _synchronized(self, inputs, gamma, beta, context):
        import tensorflow as tf

        axes = list(range(len(inputs.shape) - 1))
        average = tf.distribute.ReduceOp.MEAN  # replicas hold equal shares of the batch
        # Keras's synchronized variance, E[x^2] - E[x]^2, cancels where activations are small; deviations do not.
        mean = context.all_reduce(average, tf.reduce_mean(inputs, axes))
        variance = context.all_reduce(average, tf.reduce_mean(tf.square(inputs - mean), axes))
        return (
            tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, self.epsilon),
            mean,
            variance,
        )


def scale_gradient(x, weight):
    """Returns `x` itself, through which gradients flow back multiplied by `weight`."""
    if weight == 1:
        return x
    frozen = ops.stop_gradient(x)
    return frozen if weight == 0 else frozen + weight * (x - frozen)
