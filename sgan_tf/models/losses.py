"""The losses of stacked GANs (Huang et al., CVPR 2017, Eq. 3 to 8) as functions of network outputs.

Every function takes a batch and returns its mean as a scalar. Squared errors are means over the
dimensions too, as in the authors' code, so the same weights fit vectors and feature maps of any
size. `ADVERSARIAL` and `REGULARIZERS` are the tables that configurations choose from.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from sgan_tf.typing import Tensor

# Pairs (threshold, steps): G takes `steps` steps where D's loss is above the threshold.
GENERATOR_STEPS = ((0.65, 1), (0.5, 3), (0.3, 5))
MOST_GENERATOR_STEPS = 7


class Adversarial:
    """A pair of adversarial objectives; the base of the entries of `ADVERSARIAL`.

    To use your own pair, write a subclass and pass an instance to `LevelGAN(adversarial=...)`. To
    save models that use it, register the subclass with Keras.

    Attributes:
        class_logits: Boolean. Whether D has K logits, one per class, instead of one. If True,
            `label_loss` also trains D to classify real images. Defaults to False.
        relative: Boolean. Whether `generator` also needs the logits on real h_i, at the cost of
            another pass through D. Defaults to False.
        log_2_at_chance: Boolean. Whether D's loss is log 2 when its logit of "real" is 0 for all
            h_i. The thresholds of `adaptive_generator_steps` expect this. Defaults to False.

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
        """Returns the logit of "real", which the regularizers of D take.

        Args:
            logits: Tensor `[N, 1]`, or `[N, K]` if `class_logits` is set. D's logits.

        Returns:
            Tensor `[N, 1]`. The logit itself, or the log-sum-exp of the class logits.
        """
        return ops.logsumexp(logits, axis=-1, keepdims=True) if self.class_logits else logits

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns D's adversarial loss, which sets the adaptive number of generator steps.

        Args:
            real: Tensor `[N, 1]`, or `[N, K]` if `class_logits` is set. The logits on real h_i.
            fake: Tensor of the same shape. The logits on generated h_i.

        Returns:
            Scalar tensor.
        """
        raise NotImplementedError

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Returns L_adv, the generator's adversarial loss.

        Args:
            fake: Tensor `[N, 1]`, or `[N, K]` if `class_logits` is set. The logits on generated
                h_i.
            real: Tensor of the same shape. The logits on real h_i, passed only if `relative` is
                set. Defaults to None.

        Returns:
            Scalar tensor.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Adversarial":
        return cls(**config)


@keras.saving.register_keras_serializable("sgan_tf")
class Binary(Adversarial):
    """Eq. (4), each half weighted 0.5 as in the authors' code (log 2 at chance), and Eq. (5)."""

    log_2_at_chance = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake)))

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return ops.mean(ops.softplus(-fake))


@keras.saving.register_keras_serializable("sgan_tf")
class ClassLogits(Adversarial):
    """The authors' form on CIFAR-10: the log-sum-exp of K class logits is the logit of "real".

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
    """The hinge losses (Lim and Ye 2017; Miyato et al. 2018), for a D with a bounded slope."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -ops.mean(fake)


@keras.saving.register_keras_serializable("sgan_tf")
class Relativistic(Adversarial):
    """The relativistic pairing loss (Jolicoeur-Martineau 2018; Huang et al., R3GAN, 2024).

    D compares real and generated h_i row by row: its loss is `mean softplus(-(real - fake))`, and
    G's loss is the reverse. The gradients are useful where both agree, and no minimum drops modes.
    Use it together with R1.
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
        discriminate: Function. Maps h_i to the logit of "real", `[N, 1]`.
        real: Tensor `[N, ...]`. Real h_i, at which the penalty is computed.
        fake: Tensor `[N, ...]`. Generated h_i. Not used.

    Returns:
        Scalar tensor. The mean over the batch.
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(real)
        total = tf.reduce_sum(discriminate(real))
    gradient = tape.gradient(total, real)
    return 0.5 * ops.sum(ops.square(gradient)) / ops.cast(ops.shape(real)[0], "float32")


# The regularizers of D are functions of (discriminate, real h_i, generated h_i).
# `discriminate(h)` returns `Adversarial.real_logit`, `[N, 1]`, of h with the conditions of the real
# rows. `discriminate(h, generated=True)` uses the conditions of the generated rows.
REGULARIZERS = {"r1": r1_penalty}


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Returns the cross-entropy of the true classes: L_cond at the top, and the label loss of D.

    Args:
        logits: Tensor `[N, K]`. The class logits.
        labels: Integer tensor `[N]`. The classes, in [0, K).

    Returns:
        Scalar tensor, in nats.
    """
    chosen = ops.take_along_axis(logits, ops.cast(labels, "int32")[:, None], axis=-1)[:, 0]
    return ops.mean(ops.logsumexp(logits, axis=-1) - chosen)


def feature_loss(recovered: Tensor, condition: Tensor) -> Tensor:
    """Returns L_cond below the top, Eq. (6): the mean squared difference of E_i(G_i(h, z)) and h.

    Args:
        recovered: Tensor `[N, ...]`. E_i(G_i(h, z)).
        condition: Tensor of the same shape. The condition h.

    Returns:
        Scalar tensor.
    """
    return ops.mean(ops.square(recovered - condition))


def entropy_loss(z_estimate: Tensor, z: Tensor) -> Tensor:
    """Returns L_ent, Eq. (7) and (8): the mean squared error of Q_i's estimate of the noise.

    Up to constants it is -log Q_i(z | generated h) for a Gaussian Q of fixed variance. When G and Q
    minimize it, a lower bound of the conditional entropy of generated features rises. For
    z ~ U[0, 1), the best estimate that does not depend on z has the loss 1/12.

    Args:
        z_estimate: Tensor `[N, z_dim]`. Q_i's estimate of the noise.
        z: Tensor `[N, z_dim]`. The noise.

    Returns:
        Scalar tensor.
    """
    return ops.mean(ops.square(z_estimate - z))


def adaptive_generator_steps(loss: Tensor) -> Tensor:
    """Returns the number of generator steps after a discriminator step with a given loss.

    The rule is that of the authors' code on CIFAR-10: 1 step for a loss above 0.65, 3 above 0.5,
    5 above 0.3, and 7 otherwise.

    Args:
        loss: Scalar tensor. D's adversarial loss on the current batch.

    Returns:
        Scalar int32 tensor.
    """
    steps = ops.convert_to_tensor(MOST_GENERATOR_STEPS, "int32")
    for threshold, count in reversed(GENERATOR_STEPS):
        steps = ops.where(loss > threshold, ops.convert_to_tensor(count, "int32"), steps)
    return steps
