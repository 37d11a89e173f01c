"""`StackedGAN`: the chain of levels; joint training, sampling, and the decomposition of real images."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from sgan_tf.config import JointConfig
from sgan_tf.images import as_float
from sgan_tf.models.adversarial import AdversarialModel
from sgan_tf.models.encoder import one_hot
from sgan_tf.models.layers import scale_gradient


class Decomposition(NamedTuple):
    """What a stack knows of N real images."""

    features: list  # [h_1, …, h_{N-1}] of the encoder, each float32 [N, ...]
    probabilities: np.ndarray  # the encoder's class probabilities, [N, K]
    noise: list  # [z_0, …, z_{N-1}]: the Q networks' estimates, each float32 [N, z_dim], clipped to [0, 1]


class StackedGAN(AdversarialModel):
    """The whole stack. `fit` trains all levels jointly on batches `(h_0, h_1, …, h_{N-1}, labels)`.

    In joint training each generator is fed the output of the one above, from the label down, and every
    level keeps all its losses. With `J_i` for what G_i minimises, `J_i = L_Gi + lower_weight J_{i-1}`: one
    backward pass in which the gradient into the level above is multiplied by `lower_weight`.

    Args:
        encoder: The trained `Encoder`.
        levels: `[LevelGAN, …]`, bottom up, one for each stage of the encoder.
        joint: A `JointConfig`.
        noise_seed: See `AdversarialModel`.

    Images are float32 `[N, H, W, C]` in [0, 1]; where images are taken, uint8 in [0, 255] serve as well.
    """

    def __init__(self, encoder, levels, joint=None, noise_seed=0, **kwargs):
        joint = joint or JointConfig()
        super().__init__(joint.generator_steps, joint.adaptive_steps, noise_seed, **kwargs)
        self.encoder, self.levels, self.joint = encoder, list(levels), joint
        self._decoders = {}

    @property
    def metrics(self):
        return [metric for level in self.levels for metric in level.metrics]

    def networks(self):
        """Returns `{group: variables}` of all levels' networks."""
        return {
            name: variables for level in self.levels for name, variables in level.networks().items()
        }

    def generator_variables(self):
        return [v for level in self.levels for v in level.generator_variables()]

    def discriminator_variables(self):
        return [v for level in self.levels for v in level.discriminator_variables()]

    def chain(self, condition, noise, top=None, lower_weight=1.0, training=False):
        """Runs G_top … G_0.

        Args:
            condition: h_{top+1}: one-hot labels `[N, K]` when `top` is the highest level.
            noise: `[z_0, …]`, bottom up, at least `top + 1` of them.
            top: The level to start from; by default the highest.
            lower_weight: Multiplies the gradients that flow from a level into the one above.

        Returns:
            `[(h_i, condition of G_i), …]`, bottom up; the first holds the images.
        """
        top = len(self.levels) - 1 if top is None else top
        outputs = []
        for level in reversed(self.levels[: top + 1]):
            h = level.generator([condition, noise[level.index]], training=training)
            outputs.append((h, condition))
            condition = scale_gradient(h, lower_weight)
        return outputs[::-1]

    def discriminator_objective(self, data, seed):
        *reals, labels = data
        noise = self._draw(seed, tf.shape(labels)[0])
        chain = self.chain(one_hot(labels, self.encoder.num_classes), noise, training=True)
        pairs = [
            level.discriminator_losses(real, fake, z, labels)
            for level, real, (fake, _), z in zip(self.levels, reals, chain, noise)
        ]
        # The generators are trained as one, so the one that is most behind sets the number of their steps.
        watched = [loss for level, (_, loss) in zip(self.levels, pairs) if level.level.lambda_adv]
        return sum(objective for objective, _ in pairs), tf.reduce_min(watched or [1.0])

    def generator_objective(self, data, seed):
        labels = data[-1]
        noise = self._draw(seed, tf.shape(labels)[0])
        chain = self.chain(
            one_hot(labels, self.encoder.num_classes),
            noise,
            lower_weight=self.joint.lower_weight,
            training=True,
        )
        return sum(
            level.generator_losses(fake, condition, z, labels)
            for level, (fake, condition), z in zip(self.levels, chain, noise)
        )

    def _draw(self, seed, count):
        return [level.draw_noise(seed, count) for level in self.levels]

    # Using a trained stack

    def noise(self, count, seed=None):
        """Draws `[z_0, …, z_{N-1}]` for `count` samples, float32 `[count, z_dim]` each; the same for the same seed."""
        seed = int(np.random.SeedSequence().generate_state(1)[0] >> 1) if seed is None else seed
        return [
            tf.random.stateless_uniform([count, level.level.z_dim], [seed, level.index]).numpy()
            for level in self.levels
        ]

    def decode(self, condition, noise, top=None, batch_size=100):
        """Generates images from given noise.

        Args:
            condition: Integer labels `[N]`, or h_{top+1} when `top` is below the highest level.
            noise: `[z_0, …, z_top]`, each `[N, z_dim]`.
            top: The level to start from; by default the highest.
            batch_size: Images at a time; the result does not depend on it.

        Returns:
            float32 array `[N, H, W, C]`.

        Raises:
            ValueError: for a label outside [0, K).
        """
        top = len(self.levels) - 1 if top is None else top
        condition = np.asarray(condition)
        if top == len(self.levels) - 1:
            condition = keras.utils.to_categorical(
                self._labels(condition), self.encoder.num_classes
            ).astype("float32")
        if top not in self._decoders:
            shapes = [
                self.encoder.shapes[top + 1],
                *[(level.level.z_dim,) for level in self.levels[: top + 1]],
            ]
            signature = [tf.TensorSpec([None, *shape]) for shape in shapes]
            self._decoders[top] = tf.function(
                lambda c, *z: self.chain(c, z, top)[0][0], input_signature=signature
            )
        return self._in_batches(self._decoders[top], [condition, *noise[: top + 1]], batch_size)

    def sample(self, labels, seed=None):
        """Samples an image for each label.

        Args:
            labels: Integers in [0, K), `[N]`.
            seed: Integer: the same labels and seed give the same images. None: new noise at every call.

        Returns:
            float32 array `[N, H, W, C]` in [0, 1].
        """
        labels = self._labels(labels)
        return self.decode(labels, self.noise(len(labels), seed))

    def features(self, labels, noise, level):
        """Generates h_level for given noise.

        Args:
            labels: Integers in [0, K), `[N]`.
            noise: `[z_0, …, z_{N-1}]`; those below `level` are not used.
            level: i of the h_i wanted; 0 for images.

        Returns:
            float32 array `[N, ...]`.
        """

        def generate(condition, *noise):
            for upper, z in zip(reversed(self.levels[level:]), reversed(noise)):
                condition = upper.generator([condition, z], training=False)
            return condition

        condition = one_hot(self._labels(labels), self.encoder.num_classes)
        return self._in_batches(generate, [np.asarray(condition), *noise[level:]], 100)

    def variations(self, images, n, seed=None):
        """Generates `n` images for each one given: the same h_1, new z_0.

        Returns:
            float32 array `[N, n, H, W, C]`.
        """
        images = as_float(images)
        upper = self.infer_noise(images)
        condition = (
            np.argmax(upper.probabilities, -1) if len(self.levels) == 1 else upper.features[0]
        )
        condition = np.repeat(condition, n, axis=0)
        return self.decode(condition, self.noise(len(condition), seed), top=0).reshape(
            len(images), n, *images.shape[1:]
        )

    def decompose(self, images):
        """Returns a `Decomposition` in tensors of `images`, a float32 tensor `[N, H, W, C]` in [0, 1]."""
        *features, logits = self.encoder.features(images)
        noise = [
            level.discriminator(h, logits=False)[1]
            for level, h in zip(self.levels, [images, *features])
        ]
        return Decomposition(
            features, tf.nn.softmax(logits), [tf.clip_by_value(z, 0, 1) for z in noise]
        )

    def infer_noise(self, images):
        """Decomposes real images into the encoder's features and the Q networks' estimates of every z_i.

        Args:
            images: `[N, H, W, C]`.

        Returns:
            A `Decomposition`.
        """
        return self._in_batches(self.decompose, [as_float(images)], 100)

    def reconstruct(self, images, level=0):
        """Regenerates real images from the encoder's h_{level+1} and the noise inferred for `level` and below.

        Args:
            images: `[N, H, W, C]`.
            level: The level to start from; the highest starts from the predicted label.

        Returns:
            float32 array `[N, H, W, C]`.
        """
        known = self.infer_noise(images)
        condition = (
            np.argmax(known.probabilities, -1)
            if level == len(self.levels) - 1
            else known.features[level]
        )
        return self.decode(condition, known.noise, top=level)

    def _labels(self, labels):
        labels = np.asarray(labels)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"labels must be a vector of integers, not {labels.dtype} of shape {labels.shape}"
            )
        if labels.size and (labels.min() < 0 or labels.max() >= self.encoder.num_classes):
            raise ValueError(
                f"labels must lie in [0, {self.encoder.num_classes}); got {labels.min()} to {labels.max()}"
            )
        return labels

    @staticmethod
    def _in_batches(function, arrays, batch_size):
        """Applies a function of tensors to slices of arrays and joins what it returns."""
        count = len(arrays[0])
        if (
            not count
        ):  # TensorFlow's CPU convolutions fail on no rows, so one goes in and none comes out
            arrays = [np.zeros((1, *a.shape[1:]), a.dtype) for a in arrays]
        parts = [
            function(*(tf.constant(a[start : start + batch_size]) for a in arrays))
            for start in range(0, len(arrays[0]), batch_size)
        ]
        return tf.nest.map_structure(
            lambda *p: np.concatenate([x.numpy() for x in p])[:count], *parts
        )
