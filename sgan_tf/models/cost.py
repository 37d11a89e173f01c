"""What a stack costs, told from the shapes of layers: parameters, and floating-point operations.

FLOP are of convolutions and matrix products, which take nearly all of them; a multiplication and an
addition are two. A pass that goes back to a network's inputs alone takes as many as the one
forward, and one to its weights too twice as many.
"""

import math
from typing import Any, NamedTuple

import keras
from keras import layers

from sgan_tf.config.schema import Config
from sgan_tf.models.networks.discriminators import build_discriminator
from sgan_tf.models.networks.generators import build_generator


class StackCost(NamedTuple):
    """What a stack of two levels costs."""

    parameters: int  # of G, and of D and Q, of both levels
    flop: dict[str, int]  # of an image in a step of training, of each stage


class _Networks(NamedTuple):
    """What the networks of a level cost."""

    parameters: int
    generator: int  # FLOP of an image, forward
    discriminator: int


class StackCosts:
    """Costs of stacks that each are cut once; networks of the same shapes are looked at once.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self._known: dict[tuple, list[_Networks]] = {}

    def of(self, cut: Any, config: Config) -> StackCost:
        """Returns the cost of a stack on a cut.

        With adaptive steps of G it is the least: a step of D and one of G. Projections of D and
        what regularises it are left out.

        Args:
            cut: A `Cut`.
            config: The stack's configuration, the same for all cuts of a shape.
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
        if config.joint.lambda_class:  # E reads the image, and its gradient
            flop["joint"] += config.joint.generator_steps * 2 * (cut.below + cut.above)
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
    """FLOP of an image in a step of D on real and generated rows, and of so many steps of G."""
    d_step = networks.generator + 2 * 3 * networks.discriminator
    g_step = 3 * networks.generator + 2 * networks.discriminator + 2 * stage
    return d_step + settings.generator_steps * g_step


def network_flop(network: keras.Model) -> int:
    """Returns the FLOP of a functional or sequential model for one example, forward."""
    return sum(operation_flop(layer, layer.input, layer.output) for layer in network.layers)


def operation_flop(operation: keras.Operation | None, inputs: Any, outputs: Any) -> int:
    """Returns the FLOP of an operation for one example, forward.

    Every weight of two axes or more is taken to be multiplied at each place of the output.

    Args:
        operation: A Keras layer; what is none is taken to have no products.
        inputs, outputs: Its symbolic tensors; of several the first counts.
    """
    kernels = [w.shape for w in getattr(operation, "weights", []) if len(w.shape) > 1]
    if not kernels:
        return 0
    placed = inputs if isinstance(operation, layers.Conv2DTranspose) else outputs
    places = keras.tree.flatten(placed)[0].shape[1:-1]
    return 2 * math.prod(places) * sum(map(math.prod, kernels))
