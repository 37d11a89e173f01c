"""Every loss, and both whole objectives, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from sgan_tf.models import losses

RNG = np.random.default_rng(0)
REAL1, FAKE1 = RNG.normal(size=(16, 1)), RNG.normal(size=(16, 1))
REALK, FAKEK = RNG.normal(size=(16, 10)), RNG.normal(size=(16, 10))
LABELS = RNG.integers(0, 10, 16)
BINARY, CLASS_LOGITS, HINGE = (losses.ADVERSARIAL[n]() for n in ("binary", "class_logits", "hinge"))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def number(tensor):
    return float(np.asarray(tensor))


def test_binary_discriminator_loss_is_eq_4_with_halves_weighted():
    real, fake = np.mean(-np.log(sigmoid(REAL1))), np.mean(-np.log(1 - sigmoid(FAKE1)))
    assert number(BINARY.discriminator(REAL1, FAKE1)) == pytest.approx(
        0.5 * real + 0.5 * fake, rel=1e-6
    )


@pytest.mark.parametrize(("form", "chance"), [(BINARY, np.log(2)), (HINGE, 2.0)])
def test_discriminator_loss_at_chance(form, chance):
    zeros = np.zeros((4, 1))
    assert number(form.discriminator(zeros, zeros)) == pytest.approx(chance, rel=1e-6)


@pytest.mark.parametrize("name", losses.ADVERSARIAL)
def test_a_form_knows_whether_its_loss_is_log_2_at_chance(name):
    form = losses.ADVERSARIAL[name]()
    chance = np.full((4, 10), -np.log(10)) if form.class_logits else np.zeros((4, 1))
    assert np.abs(form.real_logit(chance)).max() < 1e-6
    loss = number(form.discriminator(chance, chance))
    assert form.log_2_at_chance == (loss == pytest.approx(np.log(2), rel=1e-6))


def test_binary_adversarial_loss_is_eq_5():
    expected = np.mean(-np.log(sigmoid(FAKE1)))
    assert number(BINARY.generator(FAKE1)) == pytest.approx(expected, rel=1e-6)


def test_class_logits_is_a_softmax_over_classes_and_fake():
    """Salimans et al.: p(fake) of a (K+1)-way softmax whose fake logit is 0."""

    def fake_probability(logits):
        return 1 / (1 + np.exp(logits).sum(-1))

    real, fake = np.log(1 - fake_probability(REALK)), np.log(fake_probability(FAKEK))
    expected = -0.5 * np.mean(real) - 0.5 * np.mean(fake)
    assert number(CLASS_LOGITS.discriminator(REALK, FAKEK)) == pytest.approx(expected, rel=1e-6)
    expected = np.mean(np.log(fake_probability(FAKEK)))
    assert number(CLASS_LOGITS.generator(FAKEK)) == pytest.approx(expected, rel=1e-6)


def test_hinge():
    real, fake = np.maximum(0, 1 - REAL1), np.maximum(0, 1 + FAKE1)
    expected = real.mean() + fake.mean()
    assert number(HINGE.discriminator(REAL1, FAKE1)) == pytest.approx(expected, rel=1e-6)
    assert number(HINGE.generator(FAKE1)) == pytest.approx(-FAKE1.mean(), rel=1e-6)


def test_r1_is_the_squared_gradient_of_a_linear_discriminator():
    w = RNG.normal(size=(5, 1)).astype(np.float32)
    penalty = losses.r1_penalty(lambda h: h @ w, tf.ones([7, 5]), tf.zeros([7, 5]))
    assert number(penalty) == pytest.approx(0.5 * np.sum(w**2), rel=1e-5)


def test_the_logit_of_real_is_what_both_losses_read():
    np.testing.assert_array_equal(BINARY.real_logit(REAL1), REAL1)
    expected = np.log(np.exp(REALK).sum(-1, keepdims=True))
    np.testing.assert_allclose(CLASS_LOGITS.real_logit(REALK), expected, rtol=1e-6)
    real, fake = CLASS_LOGITS.real_logit(REALK), CLASS_LOGITS.real_logit(FAKEK)
    whole, single = CLASS_LOGITS.discriminator(REALK, FAKEK), BINARY.discriminator(real, fake)
    assert number(whole) == pytest.approx(number(single), rel=1e-6)


def test_label_loss_is_cross_entropy():
    probabilities = np.exp(REALK) / np.exp(REALK).sum(-1, keepdims=True)
    expected = -np.mean(np.log(probabilities[np.arange(16), LABELS]))
    assert number(losses.label_loss(REALK, LABELS)) == pytest.approx(expected, rel=1e-6)


def test_feature_and_entropy_losses_are_mean_squared_errors():
    a, b = RNG.normal(size=(5, 4, 4, 3)), RNG.normal(size=(5, 4, 4, 3))
    assert number(losses.feature_loss(a, b)) == pytest.approx(np.mean((a - b) ** 2), rel=1e-6)
    z = RNG.random((100_000, 4))
    knows_nothing = number(losses.entropy_loss(np.full_like(z, 0.5), z))
    assert knows_nothing == pytest.approx(1 / 12, rel=1e-2)


@pytest.mark.parametrize(
    ("loss", "steps"),
    [(0.9, 1), (0.651, 1), (0.65, 3), (0.51, 3), (0.5, 5), (0.31, 5), (0.3, 7), (0.0, 7)],
)
def test_adaptive_schedule(loss, steps):
    assert int(losses.adaptive_generator_steps(np.float64(loss))) == steps


def test_the_relativistic_loss_compares_row_by_row():
    form = losses.ADVERSARIAL["relativistic"]()
    d, g = (np.mean(np.log1p(np.exp(sign * (FAKE1 - REAL1)))) for sign in (1, -1))
    assert number(form.discriminator(REAL1, FAKE1)) == pytest.approx(d, rel=1e-6)
    assert number(form.generator(FAKE1, REAL1)) == pytest.approx(g, rel=1e-6)
