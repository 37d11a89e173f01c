"""`Critic`: what D_i and Q_i are shown of h_i, and what is asked of them."""

import inspect
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import tensorflow as tf

from sgan_tf.config.schema import LossConfig
from sgan_tf.models.encoder.encoder import inner_maps
from sgan_tf.models.losses import Adversarial
from sgan_tf.typing import Tensor

# Draws of augmentations that differ within a step: of generated and real h_i in D's objective, and
# in G's.
FAKE, REAL, FAKE_FOR_G, REAL_FOR_G = range(4)


class Rows(NamedTuple):
    """Real or generated h_i, and what D may be told of them."""

    h: tf.Tensor  # h_i
    condition: tf.Tensor  # h_{i+1}: the encoder's of real h_i, what G_i was given of generated ones
    labels: tf.Tensor | None  # integers [N]


class Critic:
    """Shows h_i to a discriminator: augmented, with the arguments that it asks for.

    Args:
        discriminator: D_i and Q_i, a Keras model `h_i -> (logits, estimate of z_i)`. If its `call`
            has arguments `labels`, `condition` or `features`, it is given these too.
        stage: E_i, whose layers `features` names.
        features: Names of the layers of E_i whose maps D_i is given.
        adversarial: The adversarial form, which knows the logit of "real".
        loss: A `LossConfig`: `regularize_every`.
        regularizers: `{name: function}`, as in `losses.REGULARIZERS`.
        augment: Function `(h_i, seed [2]) -> h_i` on all that D sees; None for none.
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
        self._told = [name for name in ("labels", "condition") if name in accepted]
        self._maps = inner_maps(stage, features) if "features" in accepted else None

    def __call__(
        self, rows: Rows, seed: Tensor, draw: int, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Returns D's logits and Q's estimates, `(logits, z_estimate)`.

        Args:
            rows: `Rows`.
            seed: Integers `[2]`, the step's.
            draw: Which of the step's augmentations: `FAKE`, `REAL`, `FAKE_FOR_G` or `REAL_FOR_G`.
            training: D's mode.
        """
        h = rows.h
        if self.augment is not None:
            h = self.augment(h, tf.random.experimental.stateless_fold_in(seed, 1000 + draw))
        given = {name: getattr(rows, name) for name in self._told}
        given |= {"features": self._maps(h)} if self._maps else {}
        return self.discriminator(h, training=training, **given)

    def compare(
        self, real: Rows, fake: Rows, seed: Tensor, training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns D's logits on both, and Q's estimates: `(real_logits, fake_logits, z_estimate)`.

        Where no row's output depends on those beside it, D sees both in one pass, which is faster.
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
        """Returns a regularizer's value; of one step in `regularize_every`, so many times it."""
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
