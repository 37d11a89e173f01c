"""`LevelGAN`: one level of the stack, G_i, D_i and Q_i, trained alone on real features."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from sgan_tf.config.migrations import migrated_level
from sgan_tf.config.schema import LevelConfig, from_tree
from sgan_tf.models.adversarial import AdversarialModel, Objective
from sgan_tf.models.augmentations import named
from sgan_tf.models.critic import FAKE, FAKE_FOR_G, REAL_FOR_G, Critic, Rows
from sgan_tf.models.encoder.encoder import one_hot
from sgan_tf.models.layers.images import unit_images
from sgan_tf.models.layers.normalization import copied, statistics_replaced
from sgan_tf.models.losses import (
    ADVERSARIAL,
    REGULARIZERS,
    Adversarial,
    entropy_loss,
    feature_loss,
    label_loss,
)
from sgan_tf.models.noise import NOISE, draw_uniform
from sgan_tf.models.trainable import deserialized
from sgan_tf.typing import Tensor


class LevelBatch(NamedTuple):
    """The batch that a level is trained on."""

    real: tf.Tensor  # h_i of the encoder
    # the input of G_i: the encoder's h_{i+1}, or G_{i+1}'s in the joint stage; one-hot at the top
    condition: tf.Tensor
    real_condition: tf.Tensor  # h_{i+1} of the encoder, or one-hot labels at the top
    labels: tf.Tensor | None  # integers [N]

    def real_rows(self) -> Rows:
        """Returns the rows that D sees of the encoder."""
        return Rows(self.real, self.real_condition, self.labels)

    def rows_of(self, fake: Tensor) -> Rows:
        """Returns the rows that D sees of `fake`, which is `G_i(condition, z_i)`."""
        return Rows(fake, self.condition, self.labels)


@keras.saving.register_keras_serializable("sgan_tf")
class LevelGAN(AdversarialModel):
    """The GAN that inverts a stage E_i: `h_i ~ G_i(h_{i+1}, z_i)`, with D_i and Q_i.

    `fit(h_i, labels)` trains the level; at the bottom, h_i are images. The level computes h_{i+1}
    itself, or you pass it, as in `fit((h_i, h_{i+1}), labels)`. Labels, integers `[N]`, are needed
    at the top and by a D that uses classes; otherwise they can be omitted. Calling the model
    samples: `level(h_{i+1})`, or `level(labels)` at the top, returns h_i from new noise.

    Args:
        generator: Keras model. G_i, which maps `[condition, z]` to h_i.
        discriminator: Keras model. D_i and Q_i, which map h_i to `(logits, estimate of z_i)`. The
            logits are `[N, 1]`, or `[N, K]` if the adversarial form has one per class. If its
            `call` has arguments `labels`, `condition` or `features` (with None as their default),
            they are passed too. `condition` is the encoder's h_{i+1} for real h_i, and G_i's
            condition for generated h_i. `features` are the maps of E_i that `config.features`
            names.
        stage: Keras model. E_i, which maps h_i to h_{i+1}. It is frozen and used in L_cond,
            Eq. (6).
        config: `LevelConfig`. Its settings `z_dim`, `noise`, `ema`, `features`, `loss` and
            `optimizer` (the numbers of steps) are used; those of the networks are not. Defaults to
            `LevelConfig()`.
        index: Integer. i, 0 at the bottom. It is part of the names of the measured numbers.
            Defaults to 0.
        num_classes: Integer. K at the top level, whose condition is a label. Defaults to None, for
            the levels below.
        adversarial: `Adversarial`. The adversarial form. Defaults to None:
            `ADVERSARIAL[config.loss.adversarial]`.
        regularizers: Dictionary `{name: function}`. Regularizers of D in addition to the table
            `REGULARIZERS`, where the functions' arguments are described. `config.loss.regularizers`
            holds the weights of those in use. Defaults to None.
        augment: Function `(h_i, seed [2]) -> h_i`. Augmentation of everything that D sees. Defaults
            to None: the augmentations named in `config.loss.augment`.
        noise_seed: Integer. See `AdversarialModel`. Defaults to 0.
        condition_variance: Float. The variance of h_{i+1}, averaged over its entries; `adapt`
            measures it. If `config.loss.units` is `variance`, L_cond is divided by it. Defaults to
            1.

    Attributes:
        is_top: Boolean. Whether the level is conditioned on labels.
        sampler: Keras model. The generator that draws samples: the average of G_i's weights if
            `config.ema` is set, otherwise G_i.

    Raises:
        ValueError: If G_i, D_i and E_i do not fit one another.

    Example:

    >>> from keras import Input, Sequential, layers
    >>> stage = Sequential([Input((16,)), layers.Dense(10)])
    >>> condition, z = Input((10,)), Input((4,))
    >>> h = layers.Dense(16, "relu")(layers.Concatenate()([condition, z]))
    >>> features = layers.Dense(8, "relu")(h_in := Input((16,)))
    >>> d = keras.Model(h_in, [layers.Dense(1)(features), layers.Dense(4)(features)])
    >>> level = LevelGAN(keras.Model([condition, z], h), d, stage, LevelConfig(z_dim=4), 1, 10)
    >>> level(ops.array([3, 7])).shape
    TensorShape([2, 16])
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        stage: keras.Model,
        config: LevelConfig | None = None,
        index: int = 0,
        num_classes: int | None = None,
        adversarial: Adversarial | None = None,
        regularizers: Mapping[str, Callable] | None = None,
        augment: Callable | None = None,
        noise_seed: int = 0,
        condition_variance: float = 1.0,
        **kwargs: Any,
    ) -> None:
        config = config or LevelConfig()
        loss, steps = config.loss, config.optimizer
        game = adversarial or ADVERSARIAL[loss.adversarial]()
        weights = dict(loss.regularizers) if loss.lambda_adv else {}
        terms = {
            "d_loss": loss.lambda_adv,
            "label": loss.lambda_adv * loss.lambda_label * game.class_logits,
            **weights,
            "adv": loss.lambda_adv,
            "cond": loss.lambda_cond,
            "ent": loss.lambda_ent,
        }
        reported = [f"{name}_{index}" for name, weight in terms.items() if weight]
        adaptive = steps.adaptive_steps and loss.lambda_adv > 0
        super().__init__(reported, steps.generator_steps, adaptive, noise_seed, **kwargs)
        self.generator, self.discriminator, self.stage = generator, discriminator, stage
        self.config, self.index, self.num_classes = config, index, num_classes
        self.is_top, self.noise_distribution = num_classes is not None, NOISE[config.noise]
        self.adversarial = game
        self.regularizers = {**REGULARIZERS, **(regularizers or {})}
        self.augment = augment or named(loss.augment)
        self.critic = Critic(
            discriminator, stage, config.features, game, loss, self.regularizers, self.augment
        )
        self.augment_recovered = named(loss.cond_augment)
        self.condition_variance = condition_variance
        self._own = {
            "adversarial": adversarial,
            "regularizers": dict(regularizers) if regularizers else None,
            "augment": augment,
        }
        self._check_shapes()
        self.average = copied(generator) if config.ema else None

    @property
    def sampler(self) -> keras.Model:
        return self.generator if self.average is None else self.average

    def refresh_average(self, upper: Tensor, seed: Tensor) -> None:
        """Recomputes the averaged generator's batch statistics on one large batch.

        Args:
            upper: Tensor `[N, ...]`. h_{i+1}, or integer labels at the top.
            seed: Integer tensor `[2]`. Seed of the noise.
        """
        if self.average is not None:
            condition = self.condition(upper)
            u = tf.random.stateless_uniform([tf.shape(upper)[0], self.config.z_dim], seed)
            z = self.noise_distribution.of_uniform(u)
            with statistics_replaced(self.average):
                self.average([condition, z], training=True)

    def adapt(self, conditions: np.ndarray) -> None:
        """Measures `condition_variance`.

        Args:
            conditions: `np.ndarray` `[N, ...]`. h_{i+1} of real images. The top level has labels
                instead and needs no call.
        """
        self.condition_variance = float(np.var(conditions, axis=0, dtype=np.float64).mean())

    def call(self, condition: Tensor, training: bool = False) -> Tensor:
        """Samples one h_i for each row of `condition`: h_{i+1}, or integer labels at the top."""
        condition = self.condition(condition)
        shape = (ops.shape(condition)[0], self.config.z_dim)
        z = self.noise_distribution.of_uniform(
            keras.random.uniform(shape, seed=self.seed_generator)
        )
        return self.sampler([condition, z], training=training)

    # The training step: which rows, and the two objectives

    def batch(self, x: Any, y: Tensor | None) -> LevelBatch:
        real, *upper = x if isinstance(x, (list, tuple)) else [x]
        real = unit_images(real)
        if self.is_top:
            condition = self.condition(y)
        else:
            condition = self.condition(upper[0]) if upper else self.stage(real, training=False)
        return LevelBatch(real, condition, condition, y)

    def discriminator_objective(
        self, batch: LevelBatch, seed: Tensor, training: bool = True
    ) -> Objective:
        fake, z = self._generated(batch, seed, training)
        return self.discriminator_losses(fake, z, batch, seed, training)

    def generator_objective(
        self, batch: LevelBatch, seed: Tensor, training: bool = True
    ) -> Objective:
        fake, z = self._generated(batch, seed, training)
        return self.generator_losses(fake, z, batch, seed, training)

    def _generated(self, batch, seed, training):
        z = self.draw_noise(seed, tf.shape(batch.real)[0])
        generator = self.generator if training else self.sampler
        return generator([batch.condition, z], training=training), z

    def discriminator_losses(
        self, fake: Tensor, z: Tensor, batch: LevelBatch, seed: Tensor, training: bool = True
    ) -> Objective:
        """Returns the objective of D and Q: Eq. (4), and Eq. (7) for Q, which shares D's trunk.

        `lambda_adv (L_D + lambda_label L_label + sum_k w_k R_k)
        + posterior_weight lambda_ent L_ent`

        Args:
            fake: Tensor `[N, ...]`. `G_i(condition, z)`.
            z: Tensor `[N, z_dim]`. The noise that G_i received.
            batch: `LevelBatch`. D receives its `condition` with generated h_i and its
                `real_condition` with real h_i.
            seed: Integer tensor `[2]`. Seed of the augmentations.
            training: Boolean. Whether D runs in training mode. Defaults to True.

        Returns:
            Tuple `(objective, {name: scalar})`.
        """
        report: dict[str, Tensor] = {}
        c, objective = self.config.loss, tf.zeros([])
        if not self.discriminator_variables():
            return objective, report
        real, fake = batch.real_rows(), batch.rows_of(tf.stop_gradient(fake))
        if not c.lambda_adv:
            _, z_estimate = self.critic(fake, seed, FAKE, training)
        else:
            answers = self.critic.compare(real, fake, seed, training)
            real_logits, fake_logits, z_estimate = answers
            loss = report["d_loss"] = self.adversarial.discriminator(real_logits, fake_logits)
            if c.lambda_label and self.adversarial.class_logits:
                report["label"] = label_loss(real_logits, batch.labels)
                loss += c.lambda_label * report["label"]
            for name, weight in c.regularizers.items():
                report[name] = self.critic.penalty(name, real, fake, seed, training)
                loss += weight * report[name]
            objective += c.lambda_adv * loss
        if c.lambda_ent:
            weight = c.posterior_weight * c.lambda_ent / self._units[1]
            objective += weight * entropy_loss(z_estimate, z)
        return objective, self._named(report)

    def generator_losses(
        self, fake: Tensor, z: Tensor, batch: LevelBatch, seed: Tensor, training: bool = True
    ) -> Objective:
        """Returns G's objective, Eq. (3).

        `lambda_adv L_adv + lambda_cond L_cond + lambda_ent L_ent`

        A weight of 0 removes its term and the cost of computing it.

        Args:
            fake: Tensor `[N, ...]`. `G_i(condition, z)`.
            z: Tensor `[N, z_dim]`. The noise that G_i received.
            batch: `LevelBatch`. See `discriminator_losses`.
            seed: Integer tensor `[2]`. Seed of the augmentations.
            training: Boolean. Whether D runs in training mode. Defaults to True.

        Returns:
            Tuple `(objective, {name: scalar})`.
        """
        c, report = self.config.loss, {}
        if c.lambda_adv or c.lambda_ent:
            logits, z_estimate = self.critic(batch.rows_of(fake), seed, FAKE_FOR_G, training)
            if self.adversarial.relative and c.lambda_adv:
                real_logits, _ = self.critic(batch.real_rows(), seed, REAL_FOR_G, training)
                report["adv"] = self.adversarial.generator(logits, real_logits)
            elif c.lambda_adv:
                report["adv"] = self.adversarial.generator(logits)
            if c.lambda_ent:
                report["ent"] = entropy_loss(z_estimate, z)
        if c.lambda_cond:
            if self.augment_recovered is not None:
                seed = tf.random.experimental.stateless_fold_in(seed, 2000)
                fake = self.augment_recovered(fake, seed)
            recovered = self.stage(fake, training=False)
            if self.is_top:
                report["cond"] = label_loss(recovered, batch.labels)
            else:
                report["cond"] = feature_loss(recovered, batch.condition)
        cond, ent = self._units
        weights = {"adv": c.lambda_adv, "cond": c.lambda_cond / cond, "ent": c.lambda_ent / ent}
        objective = sum(weights[name] * term for name, term in report.items())
        return objective, self._named(report)

    def watched(self, numbers: Tensor) -> Tensor:
        return numbers[self.reported.index(f"d_loss_{self.index}")]

    def generator_variables(self) -> list[keras.Variable]:
        return self.generator.trainable_variables

    def discriminator_variables(self) -> list[keras.Variable]:
        """Returns the weights of D and Q, or an empty list if neither has a loss."""
        used = self.config.loss.lambda_adv or self.config.loss.lambda_ent
        return self.discriminator.trainable_variables if used else []

    def discriminators(self) -> list[keras.Model]:
        return [self.discriminator]

    def averages(self) -> list[tuple[keras.Variable, keras.Variable, float]]:
        if self.average is None:
            return []
        pairs = zip(self.average.variables, self.generator.variables)
        return [(a, v, self.config.ema) for a, v in pairs if a.dtype == "float32"]

    def networks(self) -> dict[str, list[keras.Variable]]:
        average = {f"average{self.index}": self.average.variables} if self.average else {}
        return {
            f"generator{self.index}": self.generator.variables,
            **average,
            f"discriminator{self.index}": self.discriminator.variables,
        }

    def start_from(self, other: "LevelGAN") -> None:
        """Copies the weights of a trained level with the same networks, of G averaged if any."""
        for generator in filter(None, [self.generator, self.average]):
            generator.set_weights(other.sampler.get_weights())
        self.discriminator.set_weights(other.discriminator.get_weights())
        self.condition_variance = other.condition_variance

    @property
    def _units(self):
        """The units of L_cond and L_ent; the labels' cross-entropy is always in nats."""
        if self.config.loss.units == "raw":
            return 1.0, 1.0
        return 1.0 if self.is_top else self.condition_variance, self.noise_distribution.variance

    # Conditions and noise

    def condition(self, upper: Tensor) -> Tensor:
        """Returns G_i's condition: h_{i+1}, or the top level's labels as one-hot rows `[N, K]`."""
        if self.num_classes is None:
            return ops.convert_to_tensor(upper)
        return one_hot(upper, self.num_classes)

    def draw_noise(self, seed: Tensor, count: int | Tensor) -> Tensor:
        """Returns z_i `[count, z_dim]` for a step's `seed`; see `noise.draw_uniform`."""
        seed = tf.random.experimental.stateless_fold_in(seed, self.index)
        return self.noise_distribution.of_uniform(draw_uniform(seed, count, self.config.z_dim))

    def estimate_noise(self, h: Tensor) -> Tensor:
        """Returns Q_i's estimate of the noise that generated h_i, `[N, z_dim]`."""
        alone = getattr(self.discriminator, "estimate_noise", None)
        return alone(h) if alone else self.discriminator(h, training=False)[1]

    def infer_noise(self, h: Tensor) -> Tensor:
        """Returns `estimate_noise`, clipped to the range of the noise."""
        return self.noise_distribution.clip(self.estimate_noise(h))

    def _named(self, report):
        return {f"{name}_{self.index}": value for name, value in report.items()}

    def _check_shapes(self):
        """Builds networks that are not built yet, and checks that they fit one another."""
        target = tuple(self.stage.input_shape[1:])
        shape = (self.num_classes,) if self.is_top else self.stage.output_shape[1:]
        noise = ops.zeros((1, self.config.z_dim))
        found = self.generator([ops.zeros((1, *shape)), noise], training=False)
        if tuple(found.shape[1:]) != target:
            raise ValueError(f"generator gives {tuple(found.shape[1:])}; the stage takes {target}")
        logits, estimate = self.discriminator(ops.zeros((1, *target)), training=False)
        if tuple(estimate.shape[1:]) != tuple(noise.shape[1:]):
            raise ValueError(
                f"discriminator estimates noise of shape {tuple(estimate.shape[1:])}, "
                f"but z_dim is {self.config.z_dim}"
            )
        if self.config.loss.lambda_adv:  # otherwise nothing reads the logits
            self._check_logits(tuple(logits.shape[1:]))

    def _check_logits(self, shape):
        if not self.adversarial.class_logits:
            fits, need = shape == (1,), "(1,)"
        elif self.is_top:
            fits, need = shape == (self.num_classes,), f"({self.num_classes},), one a class"
        else:
            least = 2 if self.config.loss.lambda_label else 1  # the label loss compares classes
            fits = len(shape) == 1 and shape[0] >= least
            need = f"(K,), one a class, K at least {least}"
        if not fits:
            form = type(self.adversarial).__name__
            raise ValueError(f"discriminator gives logits of shape {shape}; {form} takes {need}")
        self.num_logits = shape[0]

    # Saving

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        networks = {name: serialize(getattr(self, name)) for name in _NETWORKS}
        own = {name: serialize(value) for name, value in self._own.items() if value is not None}
        return {
            **super().get_config(),
            **networks,
            **own,
            "config": dataclasses.asdict(self.config),
            "index": self.index,
            "num_classes": self.num_classes,
            "noise_seed": self.noise_seed,
            "condition_variance": self.condition_variance,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LevelGAN":
        settings = from_tree(LevelConfig, migrated_level(config["config"]))
        config = {**config, "config": settings}
        for name in (*_NETWORKS, "adversarial", "regularizers", "augment"):
            if isinstance(config.get(name), dict):
                config[name] = deserialized(config[name])
        return cls(**config)


_NETWORKS = ("generator", "discriminator", "stage")
