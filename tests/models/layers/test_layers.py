import keras
import numpy as np
import pytest
import tensorflow as tf

from sgan_tf.models.layers.gradients import scale_gradient
from sgan_tf.models.layers.normalization import BatchNormalization
from sgan_tf.models.layers.regularization import Dropout, GaussianNoise


@pytest.mark.parametrize("shape", [(32, 7), (6, 5, 5, 3)])
def test_fused_batch_normalization_equals_keras(shape):
    x = np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)
    ours, theirs = BatchNormalization(), keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-6)
    results = []
    for layer in (ours, theirs):
        layer.build(shape)
        layer.gamma.assign(np.linspace(0.5, 2, shape[-1]))
        with tf.GradientTape() as tape:
            tensor = tf.constant(x)
            tape.watch(tensor)
            output = layer(tensor, training=True)
            gradient = tape.gradient(tf.reduce_sum(output**3), tensor)
        results.append(
            (output, gradient, layer.moving_mean, layer.moving_variance, layer(x, training=False))
        )
    for a, b in zip(*results):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-4, atol=2e-4)


class Counted(tf.distribute.ReductionToOneDevice):
    """Counts what is summed over the devices."""

    count = 0

    def reduce_implementation(self, *arguments):
        self.count += 1
        return super().reduce_implementation(*arguments)

    def batch_reduce_implementation(self, reduce_op, pairs, options):
        self.count += len(pairs)
        return [
            tf.distribute.ReductionToOneDevice.reduce_implementation(
                self, reduce_op, value, places, options
            )
            for value, places in pairs
        ]


def test_batch_normalization_on_two_devices_is_that_of_the_whole_batch_in_one_sum_a_pass():
    sums = Counted()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=sums)
    # Means far from 0, and from each other's: what a difference of moments would lose.
    x = np.random.default_rng(0).normal(300, 0.1, (8, 2, 2, 3)).astype(np.float32)
    x[4:] += 0.1
    with strategy.scope():
        layer = BatchNormalization()
        layer.build(x.shape)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = layer(x, training=True)
            loss = tf.reduce_sum(output**3)
        return output, tape.gradient(loss, x)

    halves = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.split(x, 2)[context.replica_id_in_sync_group])
    )
    results = strategy.run(step, (halves,))
    output, gradient = map(strategy.experimental_local_results, results)
    assert sums.count == 2  # one forwards, one backwards
    alone, variable = BatchNormalization(), tf.Variable(x)
    with tf.GradientTape() as tape:
        whole = alone(variable, training=True)
        loss = tf.reduce_sum(whole**3)
    np.testing.assert_allclose(np.concatenate(output), whole, atol=2e-3)
    # In float32, 300 leaves 12 bits to a deviation of 0.1.
    expected = tape.gradient(loss, variable)
    np.testing.assert_allclose(np.concatenate(gradient), expected, rtol=2e-3, atol=0.05)
    for ours, theirs in zip(layer.non_trainable_variables, alone.non_trainable_variables):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-4)


def test_scale_gradient_keeps_the_value():
    x = tf.Variable([1.0, -2.0])
    for weight in (0, 0.01, 1):
        with tf.GradientTape() as tape:
            y = scale_gradient(tf.convert_to_tensor(x), weight)
            loss = tf.reduce_sum(y * y)
        np.testing.assert_array_equal(y, x)
        gradient = tape.gradient(loss, x)
        np.testing.assert_allclose(
            np.zeros(2) if gradient is None else gradient, weight * 2 * x.numpy(), rtol=1e-6
        )


@pytest.mark.parametrize("layer", [GaussianNoise(1.0), Dropout(0.5)])
def test_noise_is_for_training_and_is_resumed_by_its_seed_state(layer):
    x = np.ones((4, 50), np.float32)
    np.testing.assert_array_equal(layer(x), x)
    state = layer.variables[0].numpy()
    first, second = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert (first != second).any()
    layer.variables[0].assign(state)
    np.testing.assert_array_equal(layer(x, training=True), first)


@pytest.mark.parametrize("make", [lambda: GaussianNoise(1.0), lambda: Dropout(0.5)])
def test_noise_differs_between_replicas(make):
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        layer = make()
    draws = strategy.run(tf.function(lambda: layer(tf.ones([2, 50]), training=True)))
    a, b = strategy.experimental_local_results(draws)
    assert (a.numpy() != b.numpy()).mean() > 0.2
