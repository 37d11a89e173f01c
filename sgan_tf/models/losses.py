"""The losses of stacked GANs (Huang et al., CVPR 2017, Eq. 3 to 8) as functions of network outputs.

Every function takes a batch and returns its mean as a scalar. Squared errors are means over the
dimensions too, as in the authors' release, so that one set of weights serves vectors and feature
maps of any size. `ADVERSARIAL` and `REGULARIZERS` are the tables that configurations choose from.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from sgan_tf.typing import Tensor

GENERATOR_STEPS = ((0.65, 1), (0.5, 3), (0.3, 5))  # "above this loss of D: so many steps", else:
MOST_GENERATOR_STEPS = 7


class Adversarial:
    """A pair of adversarial objectives; the base of the entries of `ADVERSARIAL`.

    An own one is a subclass, registered with Keras where models are to be saved, and handed to
    `LevelGAN(adversarial=...)`.

    Attributes:
        class_logits: D has K logits, one a class, in place of one; D is then taught the classes of
            real images as well, by `label_loss`.
        relative: `generator` needs the logits on real h_i too, at the cost of another pass.
        log_2_at_chance: D's loss is log 2 where its logit of "real" is 0 for all h_i, as the
            thresholds of `adaptive_generator_steps` expect.

    Example:

    >>> class LeastSquares(Adversarial):
    ...     def discriminator(self, real, fake):
    ...         return ops.mean((real - 1) ** 2) + ops.mean(fake**2)
    ...
    ...     def generator(self, fake):
    ...         return ops.mean((fake - 1) ** 2)
    >>> float(LeastSquares().generator(ops.zeros((4, 1))))
    1.0
    """

    class_logits = False
    relative = False
    log_2_at_chance = False

    def real_logit(self, logits: Tensor) -> Tensor:
        """Returns the logit of "real", which regularisers of D are given.

        Args:
            logits: As in `discriminator`.

        Returns:
            `[N, 1]`: one logit as it is, the log-sum-exp of class logits.
        """
        return ops.logsumexp(logits, axis=-1, keepdims=True) if self.class_logits else logits

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's adversarial loss; the adaptive number of generator steps follows it.

        Args:
            real: Logits on real h_i, `[N, 1]`, or `[N, K]` where `class_logits` is set.
            fake: Logits on generated h_i, of the same shape.

        Returns:
            Scalar.
        """
        raise NotImplementedError

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """L_adv: the generator's adversarial loss.

        Args:
            fake: Logits on generated h_i, as in `discriminator`.
            real: Logits on real h_i, where `relative` is set; elsewhere none are given.

        Returns:
            Scalar.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Adversarial":
        return cls(**config)


@keras.saving.register_keras_serializable("sgan_tf")
class Binary(Adversarial):
    """Eq. (4), each half weighted 0.5 as in the release (log 2 at chance), and Eq. (5)."""

    log_2_at_chance = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake)))

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return ops.mean(ops.softplus(-fake))


@keras.saving.register_keras_serializable("sgan_tf")
class ClassLogits(Adversarial):
    """The release's form on CIFAR-10: the log-sum-exp of K class logits is the logit of "real".

    It is the (K+1)-class discriminator of Salimans et al. (2016) with the fake class's logit fixed
    at 0. The generator's loss, `-mean softplus(s)`, is unbounded below.
    """

    class_logits = True
    log_2_at_chance = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        real, fake = self.real_logit(real), self.real_logit(fake)
        return 0.5 * (ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake)))

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -ops.mean(ops.softplus(self.real_logit(fake)))


@keras.saving.register_keras_serializable("sgan_tf")
class Hinge(Adversarial):
    """The hinge losses (Lim and Ye 2017; Miyato et al. 2018), for a D of bounded slope."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -ops.mean(fake)


@keras.saving.register_keras_serializable("sgan_tf")
class Relativistic(Adversarial):
    """The relativistic pairing loss (Jolicoeur-Martineau 2018; Huang et al., R3GAN, 2024).

    D compares row by row: `mean softplus(-(real - fake))`, and G the other way round, which has
    good gradients where both agree, and no minimum in which modes are dropped. R1 belongs with it.
    """

    relative = True
    log_2_at_chance = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return ops.mean(ops.softplus(fake - real))

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return ops.mean(ops.softplus(real - fake))


ADVERSARIAL = {
    "binary": Binary,
    "class_logits": ClassLogits,
    "hinge": Hinge,
    "relativistic": Relativistic,
}


def r1_penalty(discriminate: Callable, real: Tensor, fake: Tensor) -> Tensor:
    """R1 (Mescheder et al., 2018): half the squared norm of the gradient of D's logit at real h_i.

    Args:
        discriminate: Function h_i -> the logit of "real", `[N, 1]`.
        real, fake: h_i, real and generated; the penalty is at the real ones.

    Returns:
        Scalar, the mean over the batch.
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(real)
        total = tf.reduce_sum(discriminate(real))
    gradient = tape.gradient(total, real)
    return 0.5 * ops.sum(ops.square(gradient)) / ops.cast(ops.shape(real)[0], "float32")


# Of D: functions of (discriminate, real h_i, generated h_i). `discriminate(h)` gives
# `Adversarial.real_logit`, `[N, 1]`, of h with the real rows' conditions;
# `discriminate(h, generated=True)` gives it with the conditions of generated rows.
REGULARIZERS = {"r1": r1_penalty}


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the true classes: L_cond at the top level, and the label loss of D.

    Args:
        logits: `[N, K]`.
        labels: `[N]` integers in [0, K).
    """
    chosen = ops.take_along_axis(logits, ops.cast(labels, "int32")[:, None], axis=-1)[:, 0]
    return ops.mean(ops.logsumexp(logits, axis=-1) - chosen)


def feature_loss(recovered: Tensor, condition: Tensor) -> Tensor:
    """L_cond below the top level, Eq. (6): mean squared difference of E_i(G_i(h, z)) and h.

    Args:
        recovered, condition: `[N, ...]` of one shape.
    """
    return ops.mean(ops.square(recovered - condition))


def entropy_loss(z_estimate: Tensor, z: Tensor) -> Tensor:
    """L_ent, Eq. (7) and (8): mean squared error of Q_i's estimate of the noise.

    Up to constants it is -log Q_i(z | generated h) for a Gaussian Q of fixed variance; minimised by
    G and Q it raises a lower bound of the conditional entropy of generated features. An estimate
    that knows nothing of z ~ U[0, 1) reaches 1/12.

    Args:
        z_estimate, z: `[N, z_dim]`.
    """
    return ops.mean(ops.square(z_estimate - z))


def adaptive_generator_steps(loss: Tensor) -> Tensor:
    """How many generator steps follow a discriminator step with this loss (release, CIFAR-10).

    Above 0.65: 1; above 0.5: 3; above 0.3: 5; else 7.

    Args:
        loss: Scalar, D's adversarial loss on the current batch.

    Returns:
        Scalar int32.
    """
    steps = ops.convert_to_tensor(MOST_GENERATOR_STEPS, "int32")
    for threshold, count in reversed(GENERATOR_STEPS):
        steps = ops.where(loss > threshold, ops.convert_to_tensor(count, "int32"), steps)
    return steps
