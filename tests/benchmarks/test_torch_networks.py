"""PyTorch's networks are this package's: with its weights they give the same images and logits."""

import numpy as np
import pytest
import tensorflow as tf
from shared import DIGITS

torch = pytest.importorskip("torch", reason="torch is in the extra bench alone")
import torch_networks as networks  # noqa: E402
import torch_weights as weights  # noqa: E402
import workload  # noqa: E402
from torch_training import Level0  # noqa: E402

from sgan_tf.models.build import build  # noqa: E402
from sgan_tf.models.layers.spectral import spectral_layers  # noqa: E402

# Each kind of network once, narrowed: what a width is does not matter here.
NARROW = [
    "encoder.channels=[4,6]",
    "encoder.units=12",
    "levels.0.generator.channels=[8,6,6,4]",
    "levels.1.generator.units=[16]",
]
KINDS = {
    "svhn": ["levels.0.discriminator.channels=[8,12,12,8,8]"],
    "svhn-release": ["levels.0.discriminator.channels=[8,8,12,12,8,8]"],
    "digits": ["levels.0.discriminator.channels=[8,12]"],
}


@pytest.fixture(params=KINDS)
def pair(request):
    """`(config, stack, image shape)` of random weights, batch statistics and spectral vectors."""
    config = workload.configuration(request.param, overrides=NARROW + KINDS[request.param])
    side, depth = config.image_size, 1 if config.dataset in workload.ONE_CHANNEL else 3
    rng = np.random.default_rng(1)
    shape = (side, side, depth)
    encoder, stack = build(config, shape, DIGITS, mean=rng.random(shape))
    bottom = stack.levels[0]
    for network in (encoder.stages[0], *(x.generator for x in stack.levels), bottom.discriminator):
        for v in network.variables:
            if v.dtype == "float32" and v.path.split("/")[-1] not in ("mean", "u", "v"):
                matrix = len(v.shape) > 1
                v.assign(v + 0.1 * rng.standard_normal(v.shape) if matrix else rng.random(v.shape))
    for layer in spectral_layers(bottom.discriminator):
        layer.iterate()
    return config, stack, shape


def _tensor(values):
    return torch.tensor(np.asarray(values, "float32"))


@pytest.mark.parametrize("training", [False, True])
def test_generators_give_the_same_images(pair, training):
    config, stack, shape = pair
    theirs = networks.generators(config, shape, 10)
    rng = np.random.default_rng(0)
    labels = np.eye(10, dtype="float32")[[3, 1, 4, 1, 5, 9]]
    noise = [rng.random((6, level.config.z_dim), dtype=np.float32) for level in stack.levels]
    for level, module in zip(stack.levels, theirs):
        weights.copy_generator(level.generator, module)
        assert weights.parameters(module) == workload.parameters(level.generator)
        module.train(training)
    bottom, top = [level.generator for level in stack.levels]
    features = top([tf.constant(labels), tf.constant(noise[1])], training=training)
    images = bottom([features, tf.constant(noise[0])], training=training)
    found = theirs[1](_tensor(labels), _tensor(noise[1]))
    np.testing.assert_allclose(found.detach().numpy(), features, rtol=1e-4, atol=1e-5)
    found = theirs[0](_tensor(features), _tensor(noise[0]))
    np.testing.assert_allclose(weights.from_torch(found), images, atol=2e-5)
    assert np.std(images) > 0.01  # not all the same


def test_discriminator_and_encoder_give_the_same_numbers(pair):
    config, stack, shape = pair
    ours, labels = stack.levels[0].discriminator, np.array([3, 1, 4, 1])
    theirs = networks.Discriminator(config.levels[0], config.encoder, shape, 10)
    weights.copy_discriminator(ours, theirs)
    assert weights.parameters(theirs) == workload.parameters(ours)
    images = np.random.default_rng(0).random((4, *shape), dtype=np.float32)
    logits, z = ours(images, labels=tf.constant(labels))
    found = theirs.eval()(weights.to_torch(images), torch.from_numpy(labels))
    for a, b in zip(found, (logits, z)):
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=1e-4, atol=1e-4)
    stage = networks.encoder_stage(config.encoder, shape)
    weights.copy_stage(stack.encoder.stages[0], stage)
    assert weights.parameters(stage) == workload.parameters(stack.encoder.stages[0])
    found = stage(weights.to_torch(images)).detach().numpy()
    np.testing.assert_allclose(found, stack.encoder.stages[0](images), rtol=1e-4, atol=1e-5)


def test_objectives_are_the_same(pair):
    config, stack, shape = pair
    level, labels = stack.levels[0], np.array([3, 1, 4, 1], "int32")
    rng = np.random.default_rng(0)
    images = rng.random((4, *shape), dtype=np.float32)
    features = stack.encoder.stages[0](images).numpy()
    level.adapt(features)
    z = rng.random((4, config.levels[0].z_dim), dtype=np.float32)
    theirs = Level0(config, [images, features], labels, 10)
    weights.copy_generator(level.generator, theirs.generator)
    weights.copy_discriminator(level.discriminator, theirs.discriminator)
    weights.copy_stage(level.stage, theirs.stage)
    for module in theirs.networks.values():
        module.eval()
    batch, seed = level.batch([images, features], labels), tf.constant([0, 0])
    fake = level.generator([batch.condition, tf.constant(z)], training=False)
    for name, losses in {"D": level.discriminator_losses, "G": level.generator_losses}.items():
        expected, _ = losses(fake, tf.constant(z), batch, seed, training=False)
        given = [weights.to_torch(fake.numpy())] if name == "D" else []
        found = theirs.objectives[name](*given, _tensor(z))
        assert found.item() == pytest.approx(float(expected), rel=1e-4)


def test_a_step_trains_both_networks(pair):
    config, stack, shape = pair
    rng = np.random.default_rng(0)
    inputs = [rng.random((4, *shape), dtype=np.float32), rng.random((4, 12), dtype=np.float32)]
    theirs = Level0(config, inputs, np.array([3, 1, 4, 1]), 10)
    before = {name: _matrices(module) for name, module in theirs.networks.items()}
    assert np.isfinite(theirs.step())
    for name, module in theirs.networks.items():
        moved = [not torch.equal(a, b) for a, b in zip(before[name], _matrices(module))]
        assert all(moved) if name in "GD" else not any(moved)


def _matrices(module):
    return [p.detach().clone() for p in module.parameters() if p.ndim > 1]
