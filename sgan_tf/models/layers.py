"""Layers that Keras lacks, or has in a form that will not do here; with TensorFlow fast paths."""

import keras
from keras import ops


def _replica_context():
    """TensorFlow's replica context; None outside `strategy.run` and on other backends."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()


class SeedGenerator(keras.random.SeedGenerator):
    """A Keras `SeedGenerator` whose draws differ between replicas of a `tf.distribute` strategy.

    Its state is the same everywhere, so one copy in a checkpoint serves any number of devices.
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


@keras.saving.register_keras_serializable("sgan_tf")
class GaussianNoise(keras.layers.Layer):
    """Adds Gaussian noise while training, as Keras's layer does, but each replica its own.

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


@keras.saving.register_keras_serializable("sgan_tf")
class Dropout(keras.layers.Layer):
    """Sets a fraction of the input to 0 while training, as in Keras, but each replica its own.

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


@keras.saving.register_keras_serializable("sgan_tf")
class SubtractMean(keras.layers.Layer):
    """Subtracts a stored mean image.

    Args:
        mean: Float `[H, W, C]`; zeros where none is given, until weights are loaded.
    """

    def __init__(self, mean=None, **kwargs):
        super().__init__(**kwargs)
        self._initial = mean

    def build(self, input_shape):
        self.mean = self.add_weight(
            shape=input_shape[1:], initializer="zeros", trainable=False, name="mean"
        )
        if self._initial is not None:
            self.mean.assign(self._initial)

    def call(self, inputs):
        return inputs - ops.convert_to_tensor(self.mean)

    def get_config(self):
        return super().get_config()  # the mean is a weight


@keras.saving.register_keras_serializable("sgan_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation over the last axis, of the global batch on several replicas.

    On one TensorFlow device training runs the fused kernel, several times faster on CPUs than the
    composition that Keras uses; both give the same values, the (biased) moving variance included.

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
        # Keras's synchronized variance, E[x^2] - E[x]^2, cancels where activations are small.
        mean = context.all_reduce(average, tf.reduce_mean(inputs, axes))
        variance = context.all_reduce(average, tf.reduce_mean(tf.square(inputs - mean), axes))
        return (
            tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, self.epsilon),
            mean,
            variance,
        )


def unit_images(images):
    """Returns images as the networks take them, float32 in [0, 1]: uint8 is divided by 255."""
    images = ops.convert_to_tensor(images)
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return ops.cast(images, "float32") / 255
    return ops.cast(images, "float32")


def scale_gradient(x, weight):
    """Returns `x` itself, through which gradients flow back multiplied by `weight`."""
    if weight == 1:
        return x
    frozen = ops.stop_gradient(x)
    return frozen if weight == 0 else frozen + weight * (x - frozen)
