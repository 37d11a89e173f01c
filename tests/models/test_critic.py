"""What D is shown, and what it is asked."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgan_tf.config.schema import LossConfig
from sgan_tf.models.critic import FAKE, REAL, Critic, Rows
from sgan_tf.models.losses import Binary, ClassLogits

RNG = np.random.default_rng(0)
SEED = tf.constant([1, 2])
STAGE = keras.Sequential(
    [keras.Input((6,)), keras.layers.Dense(5, name="inner"), keras.layers.Dense(4, name="outer")]
)


class Witness(keras.Model):
    """A D that keeps what it was given."""

    separate_rows = False

    def __init__(self, logits=1):
        super().__init__()
        self.heads = [keras.layers.Dense(logits), keras.layers.Dense(3)]
        self.calls = []
        self(keras.ops.zeros((1, 6)))  # which builds it
        self.calls.clear()

    def call(self, h, labels=None, condition=None, features=None, training=False):
        told = {"labels": labels, "condition": condition, "features": features}
        self.calls.append({"h": h, **told, "training": training})
        return [head(h) for head in self.heads]


def rows(count=4, labels=True):
    h, condition = (tf.constant(RNG.random((count, n), np.float32)) for n in (6, 4))
    return Rows(h, condition, tf.range(count) if labels else None)


def critic(d, game=None, augment=None, features=(), regularizers=None, **loss):
    return Critic(
        d, STAGE, features, game or Binary(), LossConfig(**loss), regularizers or {}, augment
    )


def test_d_is_given_what_its_call_asks_for():
    d, shown = Witness(), rows()
    critic(d, features=["inner", "outer"])(shown, SEED, FAKE, True)
    (call,) = d.calls
    assert call["training"]
    for name in ("h", "condition", "labels"):
        np.testing.assert_array_equal(call[name], getattr(shown, name))
    inner, outer = call["features"]
    np.testing.assert_allclose(inner, STAGE.get_layer("inner")(shown.h), rtol=1e-6)
    np.testing.assert_allclose(outer, STAGE(shown.h), rtol=1e-6)
    plain = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    assert critic(plain)(shown, SEED, FAKE, False).shape == (4, 2)


@pytest.mark.parametrize("labels", [True, False])
def test_one_pass_over_both_gives_what_two_give(labels):
    d, real, fake = Witness(), rows(labels=labels), rows(labels=labels)
    judge = critic(d)
    two = judge.compare(real, fake, SEED, False)
    assert len(d.calls) == 2
    np.testing.assert_array_equal(two[0], d(real.h)[0])
    np.testing.assert_array_equal(two[1], d(fake.h)[0])
    np.testing.assert_array_equal(two[2], d(fake.h)[1])
    d.calls.clear()
    d.separate_rows = True
    for one, other in zip(judge.compare(real, fake, SEED, False), two, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    (call,) = d.calls
    np.testing.assert_array_equal(call["condition"], tf.concat([fake.condition, real.condition], 0))
    assert (call["labels"] is None) != labels


def test_real_and_generated_rows_are_augmented_by_draws_of_their_own():
    def noisy(h, seed):
        return h + tf.random.stateless_uniform(tf.shape(h), seed)

    d, shown = Witness(), rows()
    judge = critic(d, augment=noisy)
    for draw in (FAKE, REAL, FAKE):
        judge(shown, SEED, draw, False)
    first, second, again = (np.asarray(call["h"]) for call in d.calls)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 0.01 and np.abs(first - shown.h).max() > 0.01


def test_a_penalty_is_of_the_logit_of_real_with_each_rows_own_condition():
    def difference(discriminate, real, fake):
        return tf.reduce_mean(discriminate(real)) - tf.reduce_mean(
            discriminate(fake, generated=True)
        )

    d, game, real, fake = Witness(logits=10), ClassLogits(), rows(), rows()
    judge = critic(d, game, regularizers={"mine": difference})
    value = judge.penalty("mine", real, fake, SEED, False)
    expected = [np.mean(game.real_logit(d(shown.h)[0])) for shown in (real, fake)]
    assert float(value) == pytest.approx(expected[0] - expected[1], rel=1e-5)
    np.testing.assert_array_equal(d.calls[0]["condition"], real.condition)
    np.testing.assert_array_equal(d.calls[1]["condition"], fake.condition)


def test_a_penalty_of_every_fourth_step_is_four_times_as_large():
    judge = critic(Witness(), regularizers={"one": lambda *_: 1.0}, regularize_every=4)
    seeds = [tf.constant([3, step]) for step in range(200)]
    values = [float(judge.penalty("one", rows(), rows(), seed, False)) for seed in seeds]
    assert set(values) == {0.0, 4.0} and 0.6 < np.mean(values) < 1.4
