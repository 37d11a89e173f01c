"""Networks and a loss of one's own, through `fit` and through the pipeline, with resume."""

import keras
import numpy as np
import pytest
from own_networks import LeastSquares, OwnG, own_build

import sgan_tf
from sgan_tf.training.trainer import Interrupted

OVERRIDES = ["levels.0.z_dim=4", "levels.1.z_dim=3", "batch_size=64"]


@pytest.fixture(scope="module")
def digits():
    return sgan_tf.load_dataset("digits")


def config(epochs=2):
    return sgan_tf.make_config("digits", epochs=epochs, overrides=OVERRIDES)


def test_they_train_by_fit_and_are_saved(digits, tmp_path):
    encoder, stack = own_build(config(), digits.image_shape, digits.class_names)
    encoder.compile(keras.optimizers.Adam(1e-2))
    encoder.fit(digits.train_images, digits.train_labels, epochs=3, verbose=0)
    encoder.trainable = False
    level = stack.levels[0]
    level.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    losses = level.fit(digits.train_images, digits.train_labels, epochs=4, verbose=0).history
    assert losses["cond_0"][-1] < losses["cond_0"][0]
    assert level.discriminator.seen[-1] == (True, True)  # it asked for labels and condition
    stack.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    stack.fit(digits.train_images, digits.train_labels, verbose=0)
    stack.save(tmp_path / "own.keras")
    again = keras.saving.load_model(tmp_path / "own.keras")
    labels = np.arange(10)
    np.testing.assert_allclose(again.sample(labels, seed=1), stack.sample(labels, seed=1))
    assert isinstance(again.levels[0].adversarial, LeastSquares)


@pytest.mark.slow
def test_they_train_through_the_pipeline_and_resume(digits, tmp_path):
    def train(folder, stop=lambda: False):
        run = sgan_tf.Run.open(tmp_path / folder, config())
        options = sgan_tf.TrainingOptions(sample_every=0, stop=stop, steps_per_call=5)
        pipeline = sgan_tf.Pipeline(config(), run, digits, own_build, options)
        try:
            return pipeline.train()
        finally:
            run.close()

    def after(count):
        questions = iter(range(10**6))
        return lambda: next(questions) >= count

    whole = train("whole")
    for count in (3, 12):
        with pytest.raises(Interrupted):
            train("parts", stop=after(count))
    resumed = train("parts")
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(a, b)
    loaded = sgan_tf.load(tmp_path / "parts", build=own_build)
    labels = np.arange(10)
    np.testing.assert_array_equal(loaded.sample(labels, seed=2), whole.sample(labels, seed=2))
    assert loaded.class_names == digits.class_names


def test_networks_that_do_not_fit_are_refused(digits):
    encoder, stack = own_build(config(), digits.image_shape, digits.class_names)
    good = stack.levels[0]
    settings = sgan_tf.LevelConfig(z_dim=5)
    with pytest.raises(ValueError, match=r"generator gives \(5,\); the stage takes \(8, 8, 1\)"):
        sgan_tf.LevelGAN(OwnG((5,)), good.discriminator, good.stage, good.config)
    with pytest.raises(ValueError, match=r"estimates noise of shape \(4,\), but z_dim is 5"):
        sgan_tf.LevelGAN(OwnG((8, 8, 1)), good.discriminator, good.stage, settings)
    with pytest.raises(ValueError, match="one for each of the encoder's 2 stages"):
        sgan_tf.StackedGAN(encoder, [good])
