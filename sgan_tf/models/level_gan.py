"""`LevelGAN`: one level of the stack, G_i, D_i and Q_i, trained alone on the encoder's real features."""

import keras
import tensorflow as tf

from sgan_tf.models import losses
from sgan_tf.models.adversarial import AdversarialModel, draw_noise
from sgan_tf.models.discriminators import Discriminator
from sgan_tf.models.encoder import one_hot
from sgan_tf.models.generators import build_generator


class LevelGAN(AdversarialModel):
    """The GAN that inverts E_i: `h_i ~ G_i(h_{i+1}, z_i)`, with a discriminator and a posterior network.

    `fit` takes batches `(h_i, h_{i+1}, labels)`, where `h_{N}` of the top level is the labels themselves:
    integers `[N]`. Images are float32 in [0, 1].

    Args:
        level: A `LevelConfig`.
        encoder: The trained `Encoder`; its stage E_i is used frozen, in L_cond (Eq. 6).
        index: i, 0 at the bottom.
        noise_seed: See `AdversarialModel`.

    Attributes:
        generator: `[condition, z] -> h_i`.
        discriminator: A `Discriminator`: `h_i -> (logits, estimate of z)`.
    """

    def __init__(self, level, encoder, index=0, noise_seed=0, **kwargs):
        super().__init__(
            level.generator_steps,
            level.adaptive_steps and level.lambda_adv > 0,
            noise_seed,
            **kwargs,
        )
        self.level, self.index, self.num_classes = level, index, encoder.num_classes
        self.is_top = index == len(encoder.stages) - 1
        self.stage = encoder.stages[index]
        self.generator = build_generator(
            level,
            encoder.shapes[index + 1],
            encoder.shapes[index],
            encoder.mirrored(index),
            encoder.config.kernel_size,
            encoder.config.padding,
            image=index == 0,
            name=f"g{index}",
        )
        self.discriminator = Discriminator(
            level,
            encoder.shapes[index],
            encoder.num_classes,
            encoder.center if index == 0 else None,
            name=f"d{index}",
        )
        terms = {
            "d_loss": level.lambda_adv,
            "adv": level.lambda_adv,
            "cond": level.lambda_cond,
            "ent": level.lambda_ent,
            "label": level.lambda_adv * level.lambda_label * (level.adversarial == "class_logits"),
        }
        self.trackers = {
            name: keras.metrics.Mean(name=f"{name}_{index}")
            for name, weight in terms.items()
            if weight
        }

    @property
    def metrics(self):
        return list(self.trackers.values())

    def networks(self):
        """Returns `{group: variables}` of the two networks."""
        return {
            f"generator{self.index}": self.generator.variables,
            f"discriminator{self.index}": self.discriminator.variables,
        }

    def generator_variables(self):
        return self.generator.trainable_variables

    def discriminator_variables(self):
        """The weights that D's objective reaches: those of a head without a loss are not among them."""
        level, d = self.level, self.discriminator
        if not (level.lambda_adv or level.lambda_ent):
            return []
        return (
            d.trunk.trainable_variables
            + (d.logits.trainable_variables if level.lambda_adv else [])
            + (d.posterior.trainable_variables if level.lambda_ent else [])
        )

    def condition(self, upper):
        """Returns the generator's condition: h_{i+1}, or one-hot `[N, K]` of the top level's integer labels."""
        return one_hot(upper, self.num_classes) if self.is_top else tf.convert_to_tensor(upper)

    def draw_noise(self, seed, count):
        """Returns z_i `[count, z_dim]` for this level out of a step's `seed`; see `adversarial.draw_noise`."""
        return draw_noise(
            tf.random.experimental.stateless_fold_in(seed, self.index), count, self.level.z_dim
        )

    def discriminator_objective(self, data, seed):
        real, upper, labels = data
        z = self.draw_noise(seed, tf.shape(labels)[0])
        fake = self.generator([self.condition(upper), z], training=True)
        return self.discriminator_losses(real, fake, z, labels)

    def generator_objective(self, data, seed):
        _, upper, labels = data
        z = self.draw_noise(seed, tf.shape(labels)[0])
        condition = self.condition(upper)
        return self.generator_losses(
            self.generator([condition, z], training=True), condition, z, upper
        )

    def discriminator_losses(self, real, fake, z, labels):
        """Returns D's and Q's objective, and the adversarial loss alone (0 without one).

        The objective is `lambda_adv (L_D + lambda_label L_label) + posterior_weight lambda_ent L_ent`, Eq. (4) and (7).
        """
        level = self.level
        objective = adversarial = tf.zeros([])
        if not self.discriminator_variables():
            return objective, adversarial
        fake = tf.stop_gradient(fake)
        fake_logits, z_estimate = self.discriminator(
            fake, training=True, logits=level.lambda_adv > 0, posterior=level.lambda_ent > 0
        )
        if level.lambda_adv:
            real_logits, _ = self.discriminator(real, training=True, posterior=False)
            adversarial = self._track(
                "d_loss", losses.discriminator_loss(real_logits, fake_logits, level.adversarial)
            )
            objective += level.lambda_adv * adversarial
            if "label" in self.trackers:
                label = self._track("label", losses.label_loss(real_logits, labels))
                objective += level.lambda_adv * level.lambda_label * label
        if level.lambda_ent:
            objective += (
                level.posterior_weight * level.lambda_ent * losses.entropy_loss(z_estimate, z)
            )
        return objective, adversarial

    def generator_losses(self, fake, condition, z, labels):
        """Returns Eq. (3) for generated h_i `fake`.

        Args:
            fake: `G_i(condition, z)`.
            condition: What G_i was given.
            z: The noise it was given.
            labels: Integers `[N]`; used by the top level, whose L_cond is a cross-entropy.
        """
        level, adversarial, conditional, entropy = self.level, None, None, None
        if level.lambda_adv or level.lambda_ent:
            logits, z_estimate = self.discriminator(
                fake, training=True, logits=level.lambda_adv > 0, posterior=level.lambda_ent > 0
            )
            if level.lambda_adv:
                adversarial = self._track("adv", losses.adversarial_loss(logits, level.adversarial))
            if level.lambda_ent:
                entropy = self._track("ent", losses.entropy_loss(z_estimate, z))
        if level.lambda_cond:
            recovered = self.stage(fake, training=False)
            loss = (
                losses.label_loss(recovered, labels)
                if self.is_top
                else losses.feature_loss(recovered, condition)
            )
            conditional = self._track("cond", loss)
        return losses.generator_loss(
            adversarial, conditional, entropy, level.lambda_adv, level.lambda_cond, level.lambda_ent
        )

    def _track(self, name, value):
        self.trackers[name].update_state(value)
        return value
