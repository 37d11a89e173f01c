"""Regularisers and augmentations, by name in a configuration and handed in."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgan_tf.models.augmentations import AUGMENTATIONS
from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.models.stacked_gan import StackedGAN

SEED = tf.constant([1, 2], tf.int32)


def rebuilt(level, **handed_in):
    networks = (level.generator, level.discriminator, level.stage)
    return LevelGAN(*networks, level.config, level.index, **handed_in)


@keras.saving.register_keras_serializable("tests")
def mean_of_logits(discriminate, real, fake):
    return tf.reduce_mean(discriminate(real)) - tf.reduce_mean(discriminate(fake))


@keras.saving.register_keras_serializable("tests")
def inverted(h, seed):
    return 1 - h


def objective(level, batch):
    rows = level.batch(batch[0][0], batch[1])
    value, report = level.discriminator_objective(rows, SEED, training=False)
    return float(value), {name: float(number) for name, number in report.items()}


def test_a_regulariser_by_its_name_is_added_with_its_weight(small_stack):
    _, stack, batch = small_stack()
    plain, _ = objective(stack.levels[0], batch)
    _, stack, batch = small_stack(overrides=["levels.0.loss.regularizers.r1=3.0"])
    level = stack.levels[0]
    value, report = objective(level, batch)
    with tf.GradientTape() as tape:
        images = tf.constant(batch[0][0])
        tape.watch(images)
        logits = level.discriminator(images)[0]
    r1 = 0.5 * np.sum(tape.gradient(logits, images).numpy() ** 2) / len(images)
    assert report["r1_0"] == pytest.approx(r1, rel=1e-4) and r1 > 0
    assert value == pytest.approx(plain + 3 * r1, rel=1e-4)
    level.compile()
    assert np.isfinite(level.fit(batch[0][0], batch[1], verbose=0).history["r1_0"]).all()


class Opposed(keras.Model):
    """A D of two class logits, (a, -a) of a = 2 mean(h)."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(), initializer=keras.initializers.Constant(2.0))

    def call(self, h, training=False):
        a = self.scale * tf.reduce_mean(h, axis=[1, 2, 3])[:, None]
        return tf.concat([a, -a], 1), tf.zeros([tf.shape(h)[0], 8])


def test_r1_of_class_logits_is_that_of_the_logit_of_real(small_stack):
    settings = ["adversarial=class_logits", "lambda_label=0", "lambda_ent=0", "regularizers.r1=1"]
    _, stack, batch = small_stack(overrides=[f"levels.0.loss.{setting}" for setting in settings])
    old = stack.levels[0]
    level = LevelGAN(old.generator, Opposed(), old.stage, old.config)
    a = 2 * batch[0][0].mean((1, 2, 3))
    # d logsumexp(a, -a) / da is tanh a, and a has a gradient of 2 / D in each of D pixels
    expected = np.mean(0.5 * np.tanh(a) ** 2 * 4 / batch[0][0][0].size)
    _, report = objective(level, batch)
    assert report["r1_0"] == pytest.approx(expected, rel=1e-4) and expected > 0


def test_a_regulariser_of_ones_own(small_stack):
    _, stack, batch = small_stack(overrides=["levels.0.loss.regularizers.r1=1.0"])
    stack.levels[0].config.loss.regularizers = {"mine": 0.5}
    level = rebuilt(stack.levels[0], regularizers={"mine": mean_of_logits})
    value, report = objective(level, batch)
    stack.levels[0].config.loss.regularizers = {}
    plain, _ = objective(rebuilt(stack.levels[0]), batch)
    assert value == pytest.approx(plain + 0.5 * report["mine_0"], rel=1e-4)


def test_what_d_sees_is_augmented_real_and_generated_alike(small_stack):
    _, stack, batch = small_stack()
    seen = []

    def watching(h, seed):
        seen.append(np.asarray(h))
        return 1 - h

    level = rebuilt(stack.levels[0], augment=watching)
    rows = level.batch(batch[0][0], batch[1])
    value, _ = level.discriminator_objective(rows, SEED, training=False)
    generated, real = seen
    np.testing.assert_array_equal(real, batch[0][0])
    d = level.discriminator
    expected = level.adversarial.discriminator(d(1 - real)[0], d(1 - generated)[0])
    z = level.draw_noise(SEED, len(real))
    expected += 10 * np.mean((np.asarray(d(1 - generated)[1]) - z) ** 2)
    assert float(value) == pytest.approx(float(expected), rel=1e-4)


def with_logits(old, shape, **handed_in):
    """A level like an old one, with a D whose logits have that shape."""
    flat = keras.layers.Flatten()(h := keras.Input(old.stage.input_shape[1:]))
    size = int(np.prod(shape))
    logits = keras.layers.Reshape(shape)(keras.layers.Dense(size)(flat))
    d = keras.Model(h, [logits, keras.layers.Dense(old.config.z_dim)(flat)])
    place = (old.index, old.num_classes)
    return LevelGAN(old.generator, d, old.stage, old.config, *place, **handed_in)


@pytest.mark.parametrize(
    ("index", "game", "shape", "message"),
    [
        (0, "binary", (1,), None),
        (0, "binary", (7,), r"logits of shape \(7,\); Binary takes \(1,\)"),
        (0, "binary", (4, 1), r"logits of shape \(4, 1\); Binary takes \(1,\)"),
        (1, "hinge", (10,), r"logits of shape \(10,\); Hinge takes \(1,\)"),
        (0, "class_logits", (2,), None),
        (
            0,
            "class_logits",
            (1,),
            r"logits of shape \(1,\); ClassLogits takes \(K,\), one a class, K at least 2",
        ),
        (1, "class_logits", (10,), None),
        (1, "class_logits", (7,), r"logits of shape \(7,\); ClassLogits takes \(10,\)"),
    ],
)
def test_ds_logits_are_those_that_the_adversarial_form_takes(
    small_stack, index, game, shape, message
):
    _, stack, _ = small_stack()
    old = stack.levels[index]
    old.config.loss.adversarial = game
    if message is None:
        with_logits(old, shape)
        return
    with pytest.raises(ValueError, match=message):
        with_logits(old, shape)


def test_a_stacks_class_logits_are_as_many_as_its_classes(small_stack):
    _, stack, _ = small_stack()
    stack.levels[0].config.loss.adversarial = "class_logits"
    level = with_logits(stack.levels[0], (7,))
    with pytest.raises(
        ValueError, match=r"levels\[0\] has 7 class logits; the encoder has 10 classes"
    ):
        StackedGAN(stack.encoder, [level, stack.levels[1]])
    stack.levels[0].config.loss.lambda_adv = 0.0  # nothing reads them
    level = with_logits(stack.levels[0], (7,))
    StackedGAN(stack.encoder, [level, stack.levels[1]])


def test_what_is_handed_in_is_saved(small_stack, tmp_path):
    _, stack, batch = small_stack()
    stack.levels[0].config.loss.regularizers = {"mine": 0.5}
    level = rebuilt(stack.levels[0], regularizers={"mine": mean_of_logits}, augment=inverted)
    level.save(tmp_path / "level.keras")
    again = keras.saving.load_model(tmp_path / "level.keras")
    assert again.regularizers["mine"] is mean_of_logits and again.augment is inverted
    (value, report), (saved, saved_report) = objective(level, batch), objective(again, batch)
    assert saved == pytest.approx(value) and saved_report == pytest.approx(report)


def test_translation_moves_each_image_by_an_eighth_at_the_most():
    images = np.random.default_rng(0).random((64, 16, 16, 2), dtype=np.float32) + 0.5
    moved = AUGMENTATIONS["translation"](tf.constant(images), SEED).numpy()
    seen = set()
    for image, result in zip(images, moved):
        framed = np.pad(image, [[2, 2], [2, 2], [0, 0]])
        shifts = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.array_equal(framed[y : y + 16, x : x + 16], result)
        ]
        assert len(shifts) == 1
        seen.update(shifts)
    assert len(seen) > 15
