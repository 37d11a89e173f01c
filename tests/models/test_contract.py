"""Every layer and model of the package keeps the contract of `contract.py`."""

import keras
import numpy as np
import pytest
from contract import check_config, check_layer, check_model
from shared import RECIPE

from sgan_tf.models.layers.convolution import Rearrange
from sgan_tf.models.layers.images import SubtractMean
from sgan_tf.models.layers.normalization import BatchNormalization
from sgan_tf.models.layers.regularization import Dropout, GaussianNoise
from sgan_tf.models.layers.spectral import Spectral, SumPlaces
from sgan_tf.models.optimizers import optimizer_pair

RNG = np.random.default_rng(0)
IMAGES = RNG.random((8, 8, 8, 1), dtype=np.float32)
LABELS = RNG.integers(0, 10, 8).astype(np.int32)


@pytest.mark.parametrize(
    "layer",
    [
        BatchNormalization(),
        Dropout(0.5),
        GaussianNoise(0.3),
        Rearrange(2, "channels"),
        Spectral(4, 3, 2),
        SubtractMean(IMAGES[0]),
        SumPlaces(),
    ],
)
def test_layers(layer):
    layer(IMAGES)
    check_layer(layer, IMAGES)


@pytest.mark.parametrize("name", ["discriminator0", "discriminator1", "generator0", "encoder"])
def test_networks(small_stack, name):
    _, stack, (reals, labels) = small_stack()
    stack.encoder.trainable = True
    level = stack.levels[int(name[-1])] if name[-1].isdigit() else None
    if name == "encoder":
        check_layer(stack.encoder, IMAGES)
    elif name.startswith("discriminator"):
        check_layer(level.discriminator, reals[level.index])
    else:  # a functional model of Keras's own class
        batch = level.batch(reals[level.index], labels)
        z = np.zeros((len(labels), level.config.z_dim), np.float32)
        again = keras.Model.from_config(level.generator.get_config())
        again.set_weights(level.generator.get_weights())
        inputs = [batch.condition, keras.ops.convert_to_tensor(z)]
        np.testing.assert_array_equal(again(inputs), level.generator(inputs))


@pytest.mark.parametrize("overrides", [(), RECIPE])
def test_the_configuration_of_a_model_is_left_as_it_was(small_stack, overrides):
    _, stack, _ = small_stack(overrides=overrides)
    for model in (stack, *stack.levels):
        check_config(model)


@pytest.mark.slow
def test_an_encoder_is_a_keras_model(small_stack, tmp_path):
    _, stack, _ = small_stack()
    encoder = stack.encoder
    encoder.trainable = True
    encoder.compile(keras.optimizers.AdamW(1e-3))
    check_model(encoder, IMAGES, LABELS, IMAGES, lambda e: e.features(IMAGES), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_a_level_is_a_keras_model(small_stack, tmp_path, index):
    _, stack, (reals, _) = small_stack()
    level = stack.levels[index]
    level.compile(**optimizer_pair(level.config.optimizer))
    inputs = LABELS if level.is_top else reals[1]
    condition = level.condition(inputs)
    z = keras.ops.convert_to_tensor(RNG.random((8, level.config.z_dim), dtype=np.float32))

    def use(model):
        h = model.generator([condition, z], training=False)
        return [h, *model.discriminator(h), model.stage(h)]

    check_model(level, reals[index], LABELS, inputs, use, tmp_path)


@pytest.mark.slow
def test_a_stack_is_a_keras_model(small_stack, tmp_path):
    _, stack, _ = small_stack()
    stack.compile(**optimizer_pair(stack.config.optimizer))
    check_model(stack, IMAGES, LABELS, LABELS, lambda s: [s.sample(LABELS, seed=3)], tmp_path)
    saved = keras.saving.load_model(tmp_path / "model.keras")
    assert saved.class_names == stack.class_names and saved.config == stack.config
    assert saved.levels[0].stage is saved.encoder.stages[0]


def test_calling_a_model_samples_new_noise_every_time(small_stack):
    _, stack, (reals, labels) = small_stack()
    for model, inputs in ((stack, labels), (stack.levels[0], reals[1]), (stack.levels[1], labels)):
        first, second = np.asarray(model(inputs)), np.asarray(model(inputs))
        assert len(first) == len(inputs) and (first != second).any()


def test_bytes_and_floats_of_the_same_images_train_alike(small_stack):
    results, images = [], np.round(255 * IMAGES).astype(np.uint8)
    for same in (images, images.astype(np.float32) / 255):
        _, stack, _ = small_stack()
        stack.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        stack.fit(same, LABELS, verbose=0, shuffle=False)
        results.append([float(m.result()) for m in stack.metrics])
    np.testing.assert_allclose(*results, rtol=1e-4)
