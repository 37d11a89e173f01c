"""What a stack costs: counts against closed forms, and against the networks that are built."""

import keras
import pytest
from classifiers import plain
from keras import layers

import sgan_tf
from sgan_tf.config.presets import make_config
from sgan_tf.config.schema import ClassifierConfig
from sgan_tf.models.cost import StackCosts, network_flop
from sgan_tf.models.encoder.adapters import candidates


def test_flop_are_two_for_each_weight_and_place():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, 2, padding="same"),  # 4 x 4 places
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3),  # 2 x 2
            layers.Conv2DTranspose(5, 4, 2, padding="same"),  # from 2 x 2
            layers.Flatten(),
            layers.Dense(7),
        ]
    )
    products = 16 * 9 * 3 * 4 + 4 * 9 * 4 + 4 * 16 * 4 * 5 + 80 * 7
    assert network_flop(model) == 2 * products


def test_a_classifiers_work_is_parted_at_each_cut():
    cuts = {cut.name: cut for cut in candidates(plain())}
    conv1, conv2, hidden, scores = 64 * 9 * 8, 16 * 9 * 8 * 8, 128 * 12, 12 * 10
    above = 2 * (conv2 + hidden + scores)
    assert (cuts["conv1"].below, cuts["conv1"].above) == (2 * conv1, above)
    assert (cuts["pool1"].below, cuts["pool1"].above) == (2 * conv1, above)
    assert (cuts["hidden"].below, cuts["hidden"].above) == (2 * conv1 + above - 2 * scores, 240)


@pytest.mark.parametrize("name", ["pool1", "hidden"])
def test_parameters_are_those_of_the_networks_that_are_built(name):
    (cut,) = [cut for cut in candidates(plain()) if cut.name == name]
    shapes = [[8, 8, 1], list(cut.shape)]
    described = ClassifierConfig("", shapes=shapes, activations=["sigmoid", "relu"])
    config = make_config("digits", cuts=[name], classifier=described)
    encoder = sgan_tf.Encoder.from_keras(plain(), [name])
    _, stack = sgan_tf.build(config, (8, 8, 1), [str(i) for i in range(10)], encoder=encoder)
    networks = [x for level in stack.levels for x in (level.generator, level.discriminator)]
    cost = StackCosts(10).of(cut, config)
    assert cost.parameters == sum(network.count_params() for network in networks)
    assert cost.flop["joint"] == cost.flop["level0"] + cost.flop["level1"]
    config.joint.lambda_class = 2.0  # E's pass over the image, and the gradient's back to it
    classed = StackCosts(10).of(cut, config).flop
    assert classed == cost.flop | {"joint": cost.flop["joint"] + 2 * (cut.below + cut.above)}
