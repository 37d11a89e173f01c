"""`StackedGAN`: the chain of levels; joint training, sampling, and the decomposition of images."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from sgan_tf.config.migrations import migrated_joint
from sgan_tf.config.schema import Config, JointConfig, from_tree
from sgan_tf.models import arguments
from sgan_tf.models.adversarial import AdversarialModel
from sgan_tf.models.batched import BATCH, compiled, in_batches
from sgan_tf.models.encoder.encoder import Encoder, one_hot
from sgan_tf.models.layers.gradients import scale_gradient
from sgan_tf.models.layers.images import unit_images
from sgan_tf.models.level_gan import LevelBatch, LevelGAN
from sgan_tf.models.losses import label_loss
from sgan_tf.models.noise import uniform_rows
from sgan_tf.models.trainable import deserialized


class Decomposition(NamedTuple):
    """What a stack knows of N real images."""

    features: list  # [h_1, …, h_{N-1}] of the encoder, each float32 [N, ...]
    probabilities: np.ndarray  # the encoder's class probabilities, [N, K]
    noise: list  # [z_0, …, z_{N-1}]: Q's estimates, float32 [N, z_dim], where noise can lie


class StackBatch(NamedTuple):
    """What a stack is trained on."""

    reals: list  # [h_0, …, h_{N-1}] of the encoder
    labels: tf.Tensor  # integers [N]


@keras.saving.register_keras_serializable("sgan_tf")
class StackedGAN(AdversarialModel):
    """The whole stack: `fit(images, labels)` trains all levels jointly, calling it samples.

    In joint training each generator is fed the output of the one above, from the label down, and
    every level keeps all its losses. With `J_i` for what G_i minimises,
    `J_i = L_Gi + lower_weight J_{i-1}`: one backward pass in which the gradient into the level
    above is multiplied by `lower_weight`. With `lambda_class`, J_0 has `lambda_class L_class` too:
    the cross-entropy of the labels asked for, as all of E reads the images.
    Features are computed inside, or given as in `fit((h_0, …, h_{N-1}), labels)`.

    Images are float32 `[N, H, W, C]` in [0, 1]; where images are taken, uint8 in [0, 255] serve as
    well.

    Args:
        encoder: The trained `Encoder`.
        levels: `[LevelGAN, …]`, bottom up, one for each stage of the encoder.
        config: A `JointConfig`.
        class_names: K strings; by default "0", "1", ….
        noise_seed: See `AdversarialModel`.
        recipe: The `Config` that encoder and levels were built by; None for networks of one's own.

    Raises:
        ValueError: when the levels are not one for each stage, bottom up, or have class logits of
            another number of classes.

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
        **kwargs,
    ):
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
            taught = f"label_{level.index}" in level.reported
            if taught and level.num_logits != encoder.num_classes:
                raise ValueError(
                    f"levels[{level.index}] has {level.num_logits} class logits; the encoder has "
                    f"{encoder.num_classes} classes"
                )
        self.recipe, self.facts = recipe, {}  # of its training: what `load` knows
        self._parts = {}

    def call(self, labels, training=False):
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

    def batch(self, x, y):
        if isinstance(x, (list, tuple)):
            return StackBatch([unit_images(x[0]), *map(ops.convert_to_tensor, x[1:])], y)
        images = unit_images(x)
        return StackBatch([images, *self.encoder.features(images)[:-1]], y)

    def discriminator_objective(self, batch, seed, training=True):
        objective, report, _ = self._levels(
            lambda level: level.discriminator_losses, batch, seed, training
        )
        return objective, report

    def generator_objective(self, batch, seed, training=True):
        c = self.config
        objective, report, images = self._levels(
            lambda level: level.generator_losses, batch, seed, training, c.lower_weight
        )
        if c.lambda_class:
            report["class"] = label_loss(self.encoder.features(images)[-1], batch.labels)
            objective += c.lambda_class * report["class"]
        return objective, report

    def _levels(self, losses_of, batch, seed, training, lower_weight=1.0):
        """The sum of all levels' objectives, what they report, and the images they generated."""
        count = tf.shape(batch.labels)[0]
        noise = [level.draw_noise(seed, count) for level in self.levels]
        labels = one_hot(batch.labels, self.encoder.num_classes)
        chain = self.chain(labels, noise, lower_weight=lower_weight, training=training)
        objective, report, reals = tf.zeros([]), {}, [*batch.reals, labels]
        for i, (level, (fake, condition), z) in enumerate(zip(self.levels, chain, noise)):
            rows = LevelBatch(reals[i], condition, reals[i + 1], batch.labels)
            part, numbers = losses_of(level)(fake, z, rows, seed, training)
            objective += part
            report |= numbers
        return objective, report, chain[0][0]

    def watched(self, numbers):
        """D_0's loss, as in the release, or the least of all levels (`config.adaptive_watch`)."""
        names = [f"d_loss_{level.index}" for level in self.levels if level.config.loss.lambda_adv]
        if self.config.adaptive_watch == "bottom":
            names = [name for name in names if name == "d_loss_0"]
        losses = [numbers[self.reported.index(name)] for name in names]
        return tf.reduce_min(losses or [1.0])

    def discriminators(self):
        return [level.discriminator for level in self.levels]

    def averages(self):
        return [pair for level in self.levels for pair in level.averages()]

    def refresh_average(self, upper, seed):
        """As in `LevelGAN`, of all levels, on labels `[N]`."""
        for level in reversed(self.levels):
            level.refresh_average(upper, seed)
            noise = level.draw_noise(seed, tf.shape(upper)[0])
            upper = level.sampler([level.condition(upper), noise], training=False)

    def generator_variables(self):
        return [v for level in self.levels for v in level.generator_variables()]

    def discriminator_variables(self):
        return [v for level in self.levels for v in level.discriminator_variables()]

    def networks(self):
        groups = [level.networks().items() for level in self.levels]
        return {name: variables for items in groups for name, variables in items}

    # Using a trained stack

    def chain(self, condition, noise, top=None, bottom=0, lower_weight=1.0, training=False):
        """Runs G_top … G_bottom.

        Args:
            condition: h_{top+1}: one-hot labels `[N, K]` when `top` is the highest level.
            noise: `[z_0, …]`, bottom up, at least `top + 1` of them.
            top: The level to start from; by default the highest.
            bottom: The level to end with.
            lower_weight: Multiplies the gradients that flow from a level into the one above.

        Returns:
            `[(h_i, condition of G_i), …]`, bottom up: images come first, where `bottom` is 0.
        """
        top = len(self.levels) - 1 if top is None else top
        outputs = []
        for level in reversed(self.levels[bottom : top + 1]):
            generator = level.generator if training else level.sampler
            h = generator([condition, noise[level.index]], training=training)
            outputs.append((h, condition))
            condition = scale_gradient(h, lower_weight)
        return outputs[::-1]

    def noise(self, count, seed=None, first=0):
        """Draws the noise of images `first` to `first + count - 1` of those that `sample` gives.

        Args:
            count: How many.
            seed: Integer: the same seed gives the same noise. None: new noise at every call.
            first: Number of the first, counted from 0.

        Returns:
            `[z_0, …, z_{N-1}]`, float32 arrays `[count, z_dim]`. Row j of each depends on
            (seed, first + j) alone.
        """
        count = arguments.integer("count", count, 0, 2**31)
        return [z.numpy() for z in self._draw(count, *arguments.place(seed, first))]

    def decode(self, condition, noise, top=None, batch_size=BATCH):
        """Generates images from given noise.

        Args:
            condition: Integer labels `[N]`, or h_{top+1} when `top` is below the highest level.
            noise: `[z_0, …, z_top]`, each `[N, z_dim]`.
            top: The level to start from; by default the highest.
            batch_size: Images at a time; the result does not depend on it, but for rounding.

        Returns:
            float32 array `[N, H, W, C]`.

        Raises:
            ValueError: for a label outside [0, K), and for arrays of other shapes.
        """
        top = len(self.levels) - 1 if top is None else self._level("top", top)
        arguments.integer("batch_size", batch_size, 1, 2**31)
        if top == len(self.levels) - 1:
            condition = self._one_hot(condition)
        else:
            condition = arguments.rows("condition", condition, self.encoder.shapes[top + 1])
        noise = self._noise(noise, top, len(condition))
        return in_batches(self._part(top, 0), [condition, *noise], batch_size)

    def sample(self, labels=None, seed=None, first=0, count=None):
        """Samples an image for each label, or of a stack without labels as many as are wanted.

        A batch is one call of one compiled function, which draws, chains and returns. Its first
        call traces it, for batches of any size.

        Args:
            labels: Integers in [0, K), `[N]`; of one class they may be left out, for a count.
            seed: Integer: the same labels and seed give the same images. None: new noise at every
                call.
            first: Number of the first image in the endless row that a seed stands for, so that
                many can be drawn in parts.
            count: N, where there are no labels.

        Returns:
            float32 array `[N, H, W, C]` in [0, 1]. Image j depends on (its label, seed, first + j)
            alone: exactly where its uniform noise is concerned, else up to the rounding of normal
            noise and convolutions, which may differ by how many rows are computed at a time.
        """
        labels = arguments.labels_or_count(labels, count, self.encoder.num_classes)
        seed, first = arguments.place(seed, first)
        numbers = np.arange(first, first + len(labels))
        sample = functools.partial(self._sample, seed)
        return in_batches(sample, [numbers, labels.astype(np.int64)])

    def features(self, labels, noise, level):
        """Generates h_level for given noise.

        Args:
            labels: Integers in [0, K), `[N]`.
            noise: `[z_0, …, z_{N-1}]`; those below `level` are not used.
            level: i of the h_i wanted; 0 for images.

        Returns:
            float32 array `[N, ...]`.
        """
        level, top = self._level("level", level), len(self.levels) - 1
        condition = self._one_hot(labels)
        noise = self._noise(noise, top, len(condition))
        return in_batches(self._part(top, level), [condition, *noise])

    def variations(self, images, n, seed=None):
        """Returns `n` images for each one given, the same h_1, new z_0: `[N, n, H, W, C]`."""
        images = arguments.images(images, self.encoder.image_shape)
        n = arguments.integer("n", n, 0, 2**31)
        upper = self.infer_noise(images)
        condition = np.repeat(self._upper(upper, 0), n, axis=0)
        varied = self.decode(condition, self.noise(len(condition), seed), top=0)
        return varied.reshape(len(images), n, *images.shape[1:])

    def decompose(self, images):
        """Returns a `Decomposition` in tensors of a tensor of images, float32 `[N, H, W, C]`."""
        *features, logits = self.encoder.features(images)
        reals = [images, *features]
        noise = [level.infer_noise(h) for level, h in zip(self.levels, reals)]
        return Decomposition(features, tf.nn.softmax(logits), noise)

    def infer_noise(self, images):
        """Returns the `Decomposition` of images, `[N, H, W, C]`, in arrays."""
        images = arguments.images(images, self.encoder.image_shape)
        return in_batches(self._decompose, [images])

    def reconstruct(self, images, level=0):
        """Regenerates real images from their h_{level+1} and the noise inferred below it.

        Args:
            images: `[N, H, W, C]`.
            level: The level to start from; the highest starts from the predicted label.

        Returns:
            float32 array `[N, H, W, C]`.
        """
        level, known = self._level("level", level), self.infer_noise(images)
        return self.decode(self._upper(known, level), known.noise, top=level)

    # Compiled once, for any number of rows

    @functools.cached_property
    def _sample(self):
        """`(seed, consecutive numbers [N], labels [N]) -> images`."""

        @compiled(input_signature=[tf.TensorSpec(s, tf.int64) for s in ([], [None], [None])])
        def sample(seed, numbers, labels):
            noise = self._draw(tf.size(numbers), seed, numbers[0])
            return self.chain(one_hot(labels, self.encoder.num_classes), noise)[0][0]

        return sample

    @functools.cached_property
    def _decompose(self):
        signature = [tf.TensorSpec([None, *self.encoder.image_shape])]
        return compiled(self.decompose, input_signature=signature)

    def _part(self, top, bottom):
        """`(h_{top+1}, z_0, …, z_top) -> h_bottom`."""
        if (top, bottom) not in self._parts:
            dims = [(level.config.z_dim,) for level in self.levels[: top + 1]]
            signature = [tf.TensorSpec([None, *s]) for s in (self.encoder.shapes[top + 1], *dims)]
            self._parts[top, bottom] = compiled(
                lambda h, *z: self.chain(h, z, top, bottom)[0][0], input_signature=signature
            )
        return self._parts[top, bottom]

    def _draw(self, count, seed, first):
        """`noise` as tensors."""
        return [
            x.noise_distribution.of_uniform(
                uniform_rows(seed, x.index, first, count, x.config.z_dim)
            )
            for x in self.levels
        ]

    # Arguments

    def _upper(self, known, level):
        """The condition of a level out of a `Decomposition`: h_{level+1}, or labels at the top."""
        if level == len(self.levels) - 1:
            return np.argmax(known.probabilities, -1)
        return known.features[level]

    def _noise(self, noise, top, count):
        dims = [level.config.z_dim for level in self.levels[: top + 1]]
        return arguments.noise(noise, dims, count)

    def _one_hot(self, labels):
        classes = self.encoder.num_classes
        return np.eye(classes, dtype=np.float32)[arguments.labels(labels, classes)]

    def _level(self, name, level):
        return arguments.integer(name, level, 0, len(self.levels))

    # Saving

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        levels = [level.get_config() for level in self.levels]
        for level in levels:
            del level["stage"]  # they are the encoder's
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
    def from_config(cls, config):
        encoder = deserialized(config["encoder"])
        levels = [
            LevelGAN.from_config({**level, "stage": stage})
            for level, stage in zip(config["levels"], encoder.stages)
        ]
        joint = from_tree(JointConfig, migrated_joint(config["config"]))
        recipe = config.get("recipe")
        made = {"config": joint, "recipe": recipe and Config.from_json(recipe)}
        return cls(**{**config, "encoder": encoder, "levels": levels, **made})
