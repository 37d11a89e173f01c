"""`Critic`: the inputs of D_i and Q_i, and the values computed from their outputs."""

import inspect
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import tensorflow as tf

from sgan_tf.config.schema import LossConfig
from sgan_tf.models.encoder.encoder import inner_maps
from sgan_tf.models.losses import Adversarial
from sgan_tf.typing import Tensor

# A step draws different augmentations for generated and real h_i in D's objective, and for those in
# G's objective.
FAKE, REAL, FAKE_FOR_G, REAL_FOR_G = range(4)


class Rows(NamedTuple):
    """Real or generated h_i, with the condition and the labels that D may take."""

    h: tf.Tensor  # h_i
    condition: tf.Tensor  # h_{i+1}: the encoder's for real h_i, G_i's condition for generated h_i
    labels: tf.Tensor | None  # integers [N]


class Critic:
    """Calls a discriminator on augmented h_i, with the further arguments that its `call` has.

    Args:
        discriminator: Keras model. D_i and Q_i, which map h_i to `(logits, estimate of z_i)`. If
            its `call` has arguments `labels`, `condition` or `features`, they are passed too.
        stage: Keras model. E_i, whose layers `features` names.
        features: List of strings. Names of the layers of E_i whose maps D_i receives.
        adversarial: `Adversarial`. The adversarial form, which computes the logit of "real".
        loss: `LossConfig`. Only `regularize_every` is read.
        regularizers: Dictionary `{name: function}`. See `losses.REGULARIZERS`.
        augment: Function `(h_i, seed [2]) -> h_i`. Augmentation of everything that D sees, or None.
    """

    def __init__(
        self,
        discriminator: keras.Model,
        stage: keras.Model,
        features: list[str],
        adversarial: Adversarial,
        loss: LossConfig,
        regularizers: Mapping[str, Callable],
        augment: Callable | None,
    ) -> None:
        self.discriminator, self.adversarial, self.loss = discriminator, adversarial, loss
        self.regularizers, self.augment = regularizers, augment
        accepted = inspect.signature(discriminator.call).parameters
        self._row_arguments = [name for name in ("labels", "condition") if name in accepted]
        self._maps = inner_maps(stage, features) if "features" in accepted else None

    def __call__(
        self, rows: Rows, seed: Tensor, draw: int, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Returns D's logits and Q's estimates.

        Args:
            rows: `Rows`. Real or generated h_i with their condition and labels.
            seed: Integer tensor `[2]`. The step's seed.
            draw: Integer. Which of the step's augmentations to use: `FAKE`, `REAL`, `FAKE_FOR_G` or
                `REAL_FOR_G`.
            training: Boolean. Whether D runs in training mode.

        Returns:
            Tuple `(logits, z_estimate)`.
        """
        h = rows.h
        if self.augment is not None:
            h = self.augment(h, tf.random.experimental.stateless_fold_in(seed, 1000 + draw))
        arguments = {name: getattr(rows, name) for name in self._row_arguments}
        arguments |= {"features": self._maps(h)} if self._maps else {}
        return self.discriminator(h, training=training, **arguments)

    def compare(
        self, real: Rows, fake: Rows, seed: Tensor, training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns D's logits on real and generated h_i, and Q's estimates for the generated ones.

        If D's `separate_rows` says that no row's output depends on other rows, D sees both in one
        pass, which is faster.

        Args:
            real: `Rows`. Real h_i.
            fake: `Rows`. Generated h_i.
            seed: Integer tensor `[2]`. The step's seed.
            training: Boolean. Whether D runs in training mode.

        Returns:
            Tuple `(real_logits, fake_logits, z_estimate)`.
        """
        if not getattr(self.discriminator, "separate_rows", False):
            fake_logits, z_estimate = self(fake, seed, FAKE, training)
            real_logits, _ = self(real, seed, REAL, training)
            return real_logits, fake_logits, z_estimate
        pairs = zip(fake, real)
        both = Rows(*(None if a is None else tf.concat([a, b], 0) for a, b in pairs))
        logits, z_estimate = self(both, seed, FAKE, training)
        fake_logits, real_logits = tf.split(logits, 2)
        return real_logits, fake_logits, z_estimate[: tf.shape(fake.h)[0]]

    def penalty(self, name: str, real: Rows, fake: Rows, seed: Tensor, training: bool) -> Tensor:
        """Returns the penalty of a regularizer.

        If `regularize_every` is n above 1, each step has the penalty with probability 1/n, times n,
        and otherwise 0.

        Args:
            name: String. A key of `regularizers`.
            real: `Rows`. Real h_i.
            fake: `Rows`. Generated h_i.
            seed: Integer tensor `[2]`. The step's seed.
            training: Boolean. Whether D runs in training mode.

        Returns:
            Scalar tensor.
        """
        every = self.loss.regularize_every
        if every > 1:
            seed = tf.random.experimental.stateless_fold_in(seed, 3000)

        def discriminate(h, generated=False):
            rows = (fake if generated else real)._replace(h=h)
            return self.adversarial.real_logit(self(rows, seed, REAL, training)[0])

        def penalty():
            return every * self.regularizers[name](discriminate, real.h, fake.h)

        if every == 1:
            return penalty()
        due = tf.random.stateless_uniform([], seed) < 1 / every
        return tf.cond(due, penalty, lambda: 0.0)
