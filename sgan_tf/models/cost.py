"""The cost of a stack, from the shapes of layers: parameters and floating-point operations.

Only the FLOP of convolutions and matrix products are counted, which are nearly all. A
multiplication and an addition count as two. A backward pass to a network's inputs costs as many
FLOP as its forward pass; a backward pass to its weights too costs twice as many.
"""

import math
from typing import Any, NamedTuple

import keras
from keras import layers

from sgan_tf.config.schema import Config
from sgan_tf.models.networks.discriminators import build_discriminator
from sgan_tf.models.networks.generators import build_generator


class StackCost(NamedTuple):
    """The cost of a stack of two levels."""

    parameters: int  # of G, D and Q of both levels
    flop: dict[str, int]  # per image in a training step of each stage, {stage: FLOP}


class _Networks(NamedTuple):
    """The cost of a level's networks."""

    parameters: int
    generator: int  # FLOP per image, forward
    discriminator: int


class StackCosts:
    """Costs of stacks with one cut each; networks of the same shapes are built only once.

    Args:
        num_classes: Integer. K, the number of classes.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self._known: dict[tuple, list[_Networks]] = {}

    def of(self, cut: Any, config: Config) -> StackCost:
        """Returns the cost of a stack on a cut.

        With adaptive steps the cost is that of `generator_steps`, not of the number that the
        schedule chooses. Projections, feature heads and regularizers of D are not counted.

        Args:
            cut: `Cut`. Where the classifier is cut.
            config: `Config`. The stack's configuration, the same for all cuts of one shape.

        Returns:
            `StackCost`.
        """
        assert config.classifier is not None  # cuts are of a classifier
        shapes = [tuple(config.classifier.shapes[0]), cut.shape, (self.num_classes,)]
        if cut.shape not in self._known:
            pairs = zip(config.levels, shapes, shapes[1:])
            self._known[cut.shape] = [self._networks(*pair) for pair in pairs]
        networks = self._known[cut.shape]
        stages = zip(config.levels, networks, (cut.below, cut.above))
        flop = {f"level{i}": _step(*stage) for i, stage in enumerate(stages)}
        flop["joint"] = sum(flop.values())
        if config.joint.lambda_class:  # E's forward pass on the image, and the backward pass
            flop["joint"] += config.joint.optimizer.generator_steps * 2 * (cut.below + cut.above)
        return StackCost(sum(level.parameters for level in networks), flop)

    def _networks(self, settings, shape, condition_shape):
        h = keras.Input(shape)
        generator = build_generator(settings, keras.Model(h, h), condition_shape)
        discriminator = build_discriminator(settings, shape, condition_shape, self.num_classes)
        parts = discriminator.trunk, discriminator.logits, discriminator.posterior
        return _Networks(
            generator.count_params() + discriminator.count_params(),
            network_flop(generator),
            sum(map(network_flop, parts)),
        )


def _step(settings, networks, stage):
    """FLOP per image of a D step, on real and generated rows, and its `generator_steps` G steps."""
    d_step = networks.generator + 2 * 3 * networks.discriminator
    g_step = 3 * networks.generator + 2 * networks.discriminator + 2 * stage
    return d_step + settings.optimizer.generator_steps * g_step


def network_flop(network: keras.Model) -> int:
    """Returns the FLOP of the forward pass of a functional or sequential model for one example."""
    return sum(operation_flop(layer, layer.input, layer.output) for layer in network.layers)


def operation_flop(operation: keras.Operation | None, inputs: Any, outputs: Any) -> int:
    """Returns the FLOP of the forward pass of an operation for one example.

    Every weight with two or more axes is assumed to be multiplied at each position of the output,
    or of the input for a transposed convolution.

    Args:
        operation: Keras layer. Any other operation counts as 0 FLOP.
        inputs: Symbolic tensor, or several, of which the first counts. The layer's inputs.
        outputs: Symbolic tensor, or several, of which the first counts. The layer's outputs.
    """
    kernels = [w.shape for w in getattr(operation, "weights", []) if len(w.shape) > 1]
    if not kernels:
        return 0
    placed = inputs if isinstance(operation, layers.Conv2DTranspose) else outputs
    places = keras.tree.flatten(placed)[0].shape[1:-1]
    return 2 * math.prod(places) * sum(map(math.prod, kernels))
