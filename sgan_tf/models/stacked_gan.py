"""`StackedGAN`: the chain of levels, its joint training, and its methods for `StackSampler`."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import ArrayLike

from sgan_tf.config.migrations import migrated_joint
from sgan_tf.config.schema import Config, JointConfig, from_tree
from sgan_tf.models import checks
from sgan_tf.models.adversarial import AdversarialModel, Objective
from sgan_tf.models.batched import compiled
from sgan_tf.models.encoder.encoder import Encoder, one_hot
from sgan_tf.models.layers.gradients import scale_gradient
from sgan_tf.models.layers.images import unit_images
from sgan_tf.models.level_gan import LevelBatch, LevelGAN
from sgan_tf.models.losses import label_loss
from sgan_tf.models.noise import MOST_ROWS, uniform_rows
from sgan_tf.models.sampling import Decomposition, StackSampler
from sgan_tf.models.trainable import deserialized
from sgan_tf.typing import Tensor


class StackBatch(NamedTuple):
    """The batch that a stack is trained on."""

    reals: list  # [h_0, …, h_{N-1}] of the encoder
    labels: tf.Tensor  # integers [N]


@keras.saving.register_keras_serializable("sgan_tf")
class StackedGAN(StackSampler, AdversarialModel):
    """The whole stack. `fit(images, labels)` trains all levels jointly, and calling it samples.

    In joint training each generator takes the output of the generator above, from the label down,
    and every level keeps all its losses. G_i minimizes `J_i = L_Gi + lower_weight J_{i-1}`. One
    backward pass computes this: the gradient into the level above is multiplied by `lower_weight`.
    If `lambda_class` is set, J_0 also has the term `lambda_class L_class`, the cross-entropy
    between the labels and the class that the whole encoder predicts for the generated images.
    The stack computes the features itself, or you pass them, as in
    `fit((h_0, …, h_{N-1}), labels)`.

    Images are float32 `[N, H, W, C]` in [0, 1]. Methods that take images also accept uint8 in
    [0, 255].

    Args:
        encoder: `Encoder`. The trained encoder.
        levels: List of `LevelGAN`. One per stage of the encoder, bottom up.
        config: `JointConfig`. The settings of the joint stage. Defaults to `JointConfig()`.
        class_names: List of K strings. Defaults to "0", "1", ….
        noise_seed: Integer. See `AdversarialModel`. Defaults to 0.
        recipe: `Config`. The configuration that the encoder and the levels were built from.
            Defaults to None, for your own networks.

    Raises:
        ValueError: If there is not one level per stage, bottom up, if the number of class names is
            not K, or if a level has class logits for another number of classes.

    Example:

    >>> from sgan_tf import build, make_config
    >>> encoder, stack = build(make_config("digits"), (8, 8, 1), [str(d) for d in range(10)])
    >>> stack.sample([3, 3, 7], seed=1).shape
    (3, 8, 8, 1)
    """

    def __init__(
        self,
        encoder: Encoder,
        levels: Sequence[LevelGAN],
        config: JointConfig | None = None,
        class_names: Sequence[str] | None = None,
        noise_seed: int = 0,
        recipe: Config | None = None,
        **kwargs: Any,
    ) -> None:
        config = config or JointConfig()
        if [level.index for level in levels] != list(range(len(encoder.stages))):
            raise ValueError(
                f"levels must be one for each of the encoder's {len(encoder.stages)} stages, "
                f"bottom up; their indices are {[level.index for level in levels]}"
            )
        reported = [name for level in levels for name in level.reported]
        reported += ["class"] if config.lambda_class else []
        steps = config.optimizer
        super().__init__(
            reported, steps.generator_steps, steps.adaptive_steps, noise_seed, **kwargs
        )
        self.encoder, self.levels, self.config = encoder, list(levels), config
        self.class_names = list(class_names or map(str, range(encoder.num_classes)))
        if len(self.class_names) != encoder.num_classes:
            raise ValueError(
                f"class_names are {len(self.class_names)}, but the encoder has "
                f"{encoder.num_classes} classes"
            )
        for level in levels:
            has_label_loss = f"label_{level.index}" in level.reported
            if has_label_loss and level.num_logits != encoder.num_classes:
                raise ValueError(
                    f"levels[{level.index}] has {level.num_logits} class logits; the encoder has "
                    f"{encoder.num_classes} classes"
                )
        self.recipe = recipe
        self.facts: dict[str, Any] = {}  # of its training: what `load` knows
        self._parts: dict[tuple[int, int], Callable] = {}

    def call(self, labels: Tensor, training: bool = False) -> Tensor:
        """Samples an image for each of the integer `labels` `[N]`, with new noise."""
        condition = one_hot(labels, self.encoder.num_classes)
        count = ops.shape(condition)[0]
        noise = [
            level.noise_distribution.of_uniform(
                keras.random.uniform((count, level.config.z_dim), seed=self.seed_generator)
            )
            for level in self.levels
        ]
        return self.chain(condition, noise, training=training)[0][0]

    # The training step

    def batch(self, x: Any, y: Tensor) -> StackBatch:
        if isinstance(x, (list, tuple)):
            return StackBatch([unit_images(x[0]), *map(ops.convert_to_tensor, x[1:])], y)
        images = unit_images(x)
        return StackBatch([images, *self.encoder.features(images)[:-1]], y)

    def discriminator_objective(
        self, batch: StackBatch, seed: Tensor, training: bool = True
    ) -> Objective:
        objective, report, _ = self._levels(
            lambda level: level.discriminator_losses, batch, seed, training
        )
        return objective, report

    def generator_objective(
        self, batch: StackBatch, seed: Tensor, training: bool = True
    ) -> Objective:
        c = self.config
        objective, report, images = self._levels(
            lambda level: level.generator_losses, batch, seed, training, c.lower_weight
        )
        if c.lambda_class:
            report["class"] = label_loss(self.encoder.features(images)[-1], batch.labels)
            objective += c.lambda_class * report["class"]
        return objective, report

    def _levels(self, losses_of, batch, seed, training, lower_weight=1.0):
        """Returns the sum of all levels' objectives, their reports, and the generated images."""
        count = tf.shape(batch.labels)[0]
        noise = [level.draw_noise(seed, count) for level in self.levels]
        labels = one_hot(batch.labels, self.encoder.num_classes)
        chain = self.chain(labels, noise, lower_weight=lower_weight, training=training)
        report: dict[str, Tensor] = {}
        objective, reals = tf.zeros([]), [*batch.reals, labels]
        for i, (level, (fake, condition), z) in enumerate(zip(self.levels, chain, noise)):
            rows = LevelBatch(reals[i], condition, reals[i + 1], batch.labels)
            part, numbers = losses_of(level)(fake, z, rows, seed, training)
            objective += part
            report |= numbers
        return objective, report, chain[0][0]

    def watched(self, numbers: Tensor) -> Tensor:
        """Returns D_0's loss, as in the authors' code, or the least of all levels' D losses.

        `config.adaptive_watch` selects one of the two.
        """
        names = [f"d_loss_{level.index}" for level in self.levels if level.config.loss.lambda_adv]
        if self.config.adaptive_watch == "bottom":
            names = [name for name in names if name == "d_loss_0"]
        losses = [numbers[self.reported.index(name)] for name in names]
        return tf.reduce_min(losses or [1.0])

    def discriminators(self) -> list[keras.Model]:
        return [level.discriminator for level in self.levels]

    def averages(self) -> list[tuple[keras.Variable, keras.Variable, float]]:
        return [pair for level in self.levels for pair in level.averages()]

    def refresh_average(self, upper: Tensor, seed: Tensor) -> None:
        """Recomputes the batch statistics of all levels' averaged generators.

        Args:
            upper: Integer tensor `[N]`. Labels.
            seed: Integer tensor `[2]`. Seed of the noise.
        """
        for level in reversed(self.levels):
            level.refresh_average(upper, seed)
            noise = level.draw_noise(seed, tf.shape(upper)[0])
            upper = level.sampler([level.condition(upper), noise], training=False)

    def generator_variables(self) -> list[keras.Variable]:
        return [v for level in self.levels for v in level.generator_variables()]

    def discriminator_variables(self) -> list[keras.Variable]:
        return [v for level in self.levels for v in level.discriminator_variables()]

    def networks(self) -> dict[str, list[keras.Variable]]:
        groups = [level.networks().items() for level in self.levels]
        return {name: variables for items in groups for name, variables in items}

    # The chain of generators

    def chain(
        self,
        condition: Tensor,
        noise: Sequence[Tensor],
        top: int | None = None,
        bottom: int = 0,
        lower_weight: float = 1.0,
        training: bool = False,
    ) -> list[tuple[Tensor, Tensor]]:
        """Runs the generators G_top to G_bottom.

        Args:
            condition: Tensor `[N, ...]`. h_{top+1}, or one-hot labels `[N, K]` if `top` is the
                highest level.
            noise: List of tensors `[z_0, …]`, each `[N, z_dim]`. Bottom up, at least `top + 1`.
            top: Integer. The level to start from. Defaults to the highest.
            bottom: Integer. The level to end with. Defaults to 0.
            lower_weight: Float. Factor of the gradients that flow from a level into the one above.
                Defaults to 1.
            training: Boolean. Whether to run G_i in training mode, instead of its `sampler` in
                inference mode. Defaults to False.

        Returns:
            List of tuples `(h_i, condition of G_i)`, bottom up. Images come first if `bottom` is 0.
        """
        top = len(self.levels) - 1 if top is None else top
        outputs = []
        for level in reversed(self.levels[bottom : top + 1]):
            generator = level.generator if training else level.sampler
            h = generator([condition, noise[level.index]], training=training)
            outputs.append((h, condition))
            condition = scale_gradient(h, lower_weight)
        return outputs[::-1]

    # The functions that sampling is built from, each compiled once for any number of rows

    max_batch = 2**31
    seeds = (-(2**63), 2**63)
    most_images = MOST_ROWS

    @property
    def image_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.encoder.image_shape

    @property
    def z_dims(self) -> list[int]:  # type: ignore[override]
        return [level.config.z_dim for level in self.levels]

    @property
    def feature_shapes(self) -> dict[int, tuple[int, ...]]:  # type: ignore[override]
        return dict(enumerate(self.encoder.shapes[1:-1], start=1))

    def noise(self, count: int, seed: int | None = None, first: int = 0) -> list[np.ndarray]:
        """Draws the noise of the images `first` to `first + count - 1` of a seed.

        `sample` uses the same noise for these images.

        Args:
            count: Integer. Number of images.
            seed: Integer. The same seed gives the same noise. Defaults to None: new noise at every
                call.
            first: Integer. Number of the first image, counted from 0. Defaults to 0.

        Returns:
            List of float32 arrays `[z_0, …, z_{N-1}]`, each `[count, z_dim]`. Row j of each depends
            only on (seed, first + j).

        Raises:
            ValueError: If the count, the seed or the first number is out of range.
        """
        count = checks.integer("count", count, 0, 2**31)
        return [z.numpy() for z in self._draw(count, *self._place(seed, first, count))]

    def features(self, labels: ArrayLike, noise: Sequence[ArrayLike], level: int) -> np.ndarray:
        """Generates h_level from labels and noise.

        Args:
            labels: Integer array `[N]`. Labels in [0, K).
            noise: List of float arrays `[z_0, …, z_{N-1}]`, each `[N, z_dim]`. Those below `level`
                are not used.
            level: Integer. The index i of the h_i to generate; 0 gives images.

        Returns:
            float32 array `[N, ...]`.

        Raises:
            ValueError: If a label is outside [0, K), or an array has the wrong shape.
        """
        level = self._level("level", level)
        labels = checks.labels(labels, self.encoder.num_classes)
        noise = checks.noise(noise, self.z_dims, len(labels))
        return self._batched(self._part(len(self.levels) - 1, level), [labels, *noise])

    def decompose(self, images: tf.Tensor) -> Decomposition:
        """Returns the `Decomposition` of images, in tensors.

        Args:
            images: float32 tensor `[N, H, W, C]`. Images in [0, 1].
        """
        *features, logits = self.encoder.features(images)
        reals = [images, *features]
        noise = [level.infer_noise(h) for level, h in zip(self.levels, reals)]
        return Decomposition(features, tf.nn.softmax(logits), noise)

    @functools.cached_property
    def _sample(self):
        @compiled(input_signature=[tf.TensorSpec(s, tf.int64) for s in ([], [None], [None])])
        def sample(seed, numbers, labels):
            noise = self._draw(tf.size(numbers), seed, numbers[0])
            return self.chain(one_hot(labels, self.encoder.num_classes), noise)[0][0]

        return sample

    def _decode(self, top, condition, *noise):
        return self._part(top, 0)(condition, *noise)

    @functools.cached_property
    def _encode(self):
        return compiled(self.decompose, input_signature=[tf.TensorSpec([None, *self.image_shape])])

    def _vary(self, images, n, seed, first):
        upper = np.repeat(self._upper(self.infer_noise(images), 0), n, axis=0)
        return self.decode(upper, self.noise(len(upper), seed, first), top=0)

    def _draw(self, count, seed, first):
        """Returns the result of `noise` as tensors."""
        return [
            x.noise_distribution.of_uniform(
                uniform_rows(seed, x.index, first, count, x.config.z_dim)
            )
            for x in self.levels
        ]

    def _part(self, top, bottom):
        """Returns the function `(h_{top+1} or labels, z_0, …, z_top) -> h_bottom`."""
        if (top, bottom) not in self._parts:
            highest, classes = top == len(self.levels) - 1, self.encoder.num_classes

            def part(upper, *noise):
                condition = one_hot(upper, classes) if highest else upper
                return self.chain(condition, noise, top, bottom)[0][0]

            noise = [tf.TensorSpec([None, dim]) for dim in self.z_dims[: top + 1]]
            upper = tf.TensorSpec([None], tf.int64)
            if not highest:
                upper = tf.TensorSpec([None, *self.feature_shapes[top + 1]])
            self._parts[top, bottom] = compiled(part, input_signature=[upper, *noise])
        return self._parts[top, bottom]

    # Saving

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        levels = [level.get_config() for level in self.levels]
        for level in levels:
            del level["stage"]  # stages belong to the encoder
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "levels": levels,
            "config": dataclasses.asdict(self.config),
            "class_names": list(self.class_names),
            "noise_seed": self.noise_seed,
            "recipe": self.recipe and self.recipe.to_json(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "StackedGAN":
        encoder = deserialized(config["encoder"])
        levels = [
            LevelGAN.from_config({**level, "stage": stage})
            for level, stage in zip(config["levels"], encoder.stages)
        ]
        joint = from_tree(JointConfig, migrated_joint(config["config"]))
        recipe = config.get("recipe")
        made = {"config": joint, "recipe": recipe and Config.from_json(recipe)}
        return cls(**{**config, "encoder": encoder, "levels": levels, **made})
