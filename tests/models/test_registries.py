"""What a table of the models holds can be used by its name in a configuration."""

import math

import keras
import numpy as np
from keras import ops
from refusal import refuse
from shared import DIGITS

from sgan_tf.config.presets import make_config
from sgan_tf.models import noise
from sgan_tf.models.build import build, check_config
from sgan_tf.models.encoder import self_supervised
from sgan_tf.models.networks import discriminators, generators
from sgan_tf.models.networks.families import Family, is_map

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (16, 8, 8, 1), dtype=np.uint8)
LABELS = RNG.integers(0, 10, 16).astype(np.int32)


def trained(overrides, **settings):
    """A stack that was built by names, after an epoch of joint training."""
    config = make_config("digits", overrides=overrides, **settings)
    _, stack = build(config, (8, 8, 1), DIGITS)
    stack.compile()
    history = stack.fit(IMAGES, LABELS, batch_size=8, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    return stack


def test_a_family_of_generators(monkeypatch):
    def plain(config, stage, condition, noise):
        x = keras.layers.Concatenate()([noise, condition])
        for units in config.units:
            x = keras.layers.Dense(units, "relu")(x)
        shape = stage.input_shape[1:]
        return keras.layers.Reshape(shape)(keras.layers.Dense(math.prod(shape), name="own")(x))

    override = "levels.0.generator.family=plain"
    refuse("plain is not one of mirror", lambda: check_config(make_config(overrides=[override])))
    monkeypatch.setitem(generators.GENERATORS, "plain", Family(plain, is_map, "units"))
    stack = trained([override, "levels.0.generator.units=[16]"])
    assert "own" in [layer.name for layer in stack.levels[0].generator.layers]
    wrong = make_config(overrides=["levels.1.generator.family=plain"])  # of a vector
    refuse("plain is not one of dense, for fc3", lambda: check_config(wrong))


def test_a_family_of_discriminators(monkeypatch):
    def flat(config):
        return [keras.layers.Flatten(name="own"), keras.layers.Dense(config.units[0], "relu")]

    family = discriminators.TrunkFamily(flat, is_map, "units")
    monkeypatch.setitem(discriminators.DISCRIMINATORS, "flat", family)
    names = ["levels.0.discriminator.family=flat", "levels.0.discriminator.units=[16]"]
    stack = trained(names)
    assert "own" in [layer.name for layer in stack.levels[0].discriminator.trunk.layers]
    lacking = make_config(overrides=[*names, "levels.0.discriminator.units=[]"])
    refuse("units: [] is not at least one number, as flat", lambda: check_config(lacking))


def test_a_kind_of_noise(monkeypatch):
    class Triangular(noise.Uniform):
        name, mean, variance, text = "triangular", 0.5, 1 / 24, "triangular on [0, 1]"

        def of_uniform(self, u):
            return ops.where(u < 0.5, ops.sqrt(u / 2), 1 - ops.sqrt((1 - u) / 2))

    monkeypatch.setitem(noise.NOISE, "triangular", Triangular())
    stack = trained(["levels.0.noise=triangular", "levels.0.loss.units=variance"])
    z = stack.noise(20_000, seed=0)[0]
    assert abs(z.mean() - 0.5) < 0.01 and abs(z.var() - 1 / 24) < 0.001


def test_an_objective_of_an_encoder_without_labels(monkeypatch):
    monkeypatch.setitem(
        self_supervised.OBJECTIVES, "nearer", lambda a, b: 7 + ops.mean(ops.square(a - b))
    )
    config = make_config("digits", labels="none", overrides=["encoder.objective=nearer"])
    encoder, _ = build(config, (8, 8, 1), ["image"])
    model = self_supervised.UnlabelledEncoder(encoder, config.encoder)
    model.compile()
    loss = model.fit(IMAGES, LABELS, batch_size=8, verbose=0).history["loss"][0]
    assert loss > 7
