import numpy as np
import pytest

from sgan_tf.models import losses

RNG = np.random.default_rng(0)
REAL1, FAKE1 = RNG.normal(size=(16, 1)), RNG.normal(size=(16, 1))
REALK, FAKEK = RNG.normal(size=(16, 10)), RNG.normal(size=(16, 10))
LABELS = RNG.integers(0, 10, 16)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def number(tensor):
    return float(np.asarray(tensor))


def test_binary_discriminator_loss_is_eq_4_with_halves_weighted():
    expected = 0.5 * np.mean(-np.log(sigmoid(REAL1))) + 0.5 * np.mean(-np.log(1 - sigmoid(FAKE1)))
    assert number(losses.discriminator_loss(REAL1, FAKE1)) == pytest.approx(expected, rel=1e-6)


def test_discriminator_loss_at_chance_is_log_2():
    assert number(losses.discriminator_loss(np.zeros((4, 1)), np.zeros((4, 1)))) == pytest.approx(
        np.log(2), rel=1e-6
    )


def test_binary_adversarial_loss_is_eq_5():
    assert number(losses.adversarial_loss(FAKE1)) == pytest.approx(
        np.mean(-np.log(sigmoid(FAKE1))), rel=1e-6
    )


def test_class_logits_is_a_softmax_over_classes_and_fake():
    """Salimans et al.: p(fake) of a (K+1)-way softmax whose fake logit is 0."""

    def fake_probability(logits):
        return 1 / (1 + np.exp(logits).sum(-1))

    expected = -0.5 * np.mean(np.log(1 - fake_probability(REALK))) - 0.5 * np.mean(
        np.log(fake_probability(FAKEK))
    )
    assert number(losses.discriminator_loss(REALK, FAKEK, "class_logits")) == pytest.approx(
        expected, rel=1e-6
    )
    assert number(losses.adversarial_loss(FAKEK, "class_logits")) == pytest.approx(
        np.mean(np.log(fake_probability(FAKEK))), rel=1e-6
    )


def test_unknown_form_is_refused():
    with pytest.raises(ValueError, match="hinge"):
        losses.adversarial_loss(FAKE1, "hinge")


def test_label_loss_is_cross_entropy():
    probabilities = np.exp(REALK) / np.exp(REALK).sum(-1, keepdims=True)
    expected = -np.mean(np.log(probabilities[np.arange(16), LABELS]))
    assert number(losses.label_loss(REALK, LABELS)) == pytest.approx(expected, rel=1e-6)


def test_feature_and_entropy_losses_are_mean_squared_errors():
    a, b = RNG.normal(size=(5, 4, 4, 3)), RNG.normal(size=(5, 4, 4, 3))
    assert number(losses.feature_loss(a, b)) == pytest.approx(np.mean((a - b) ** 2), rel=1e-6)
    z = RNG.random((100_000, 4))
    assert number(losses.entropy_loss(np.full_like(z, 0.5), z)) == pytest.approx(1 / 12, rel=1e-2)


def test_generator_loss_is_eq_3_and_leaves_terms_out():
    assert losses.generator_loss(1.0, 2.0, 3.0) == 1 + 2 + 30
    assert losses.generator_loss(None, 2.0, 3.0, 5, 7, 11) == 14 + 33


@pytest.mark.parametrize(
    ("loss", "steps"),
    [(0.9, 1), (0.651, 1), (0.65, 3), (0.51, 3), (0.5, 5), (0.31, 5), (0.3, 7), (0.0, 7)],
)
def test_adaptive_schedule(loss, steps):
    assert int(losses.adaptive_generator_steps(np.float64(loss))) == steps
