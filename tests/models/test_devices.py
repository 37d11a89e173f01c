"""One step on two replicas equals the same step on one; SGD, because Adam hides a wrong scale."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from shared import DIGITS, RECIPE

from sgan_tf.cli.app import UsageError
from sgan_tf.cli.devices import strategy
from sgan_tf.config.presets import make_config
from sgan_tf.models.build import build

PLAIN = [
    "levels.0.discriminator.input_noise=0",
    "levels.1.discriminator.input_noise=0",
    "joint.lower_weight=0.5",
]  # layers' noise is each replica's own


# Augmentations, too, are each replica's own.
SHARED_RECIPE = [setting for setting in RECIPE if "augment" not in setting]


def one_step(scope, which, adaptive=False, recipe=()):
    config = make_config(
        "digits",
        overrides=PLAIN
        + [
            f"levels.0.optimizer.adaptive_steps={adaptive}",
            f"joint.optimizer.adaptive_steps={adaptive}",
            "levels.1.loss.adversarial=class_logits",
            *recipe,
        ],
    )
    with scope.scope():
        encoder, stack = build(config, (8, 8, 1), DIGITS)
        encoder.trainable = False
        model = stack if which == "joint" else stack.levels[which]
        model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
    rng = np.random.default_rng(0)
    images = rng.random((12, 8, 8, 1), dtype=np.float32)
    labels = rng.integers(0, 10, 12).astype(np.int32)
    reals = (images, encoder.features(images)[0].numpy())
    data = ((reals[1] if which == 1 else reals), labels)
    before = [
        v.numpy() for group in model.networks().values() for v in group if "seed" not in v.name
    ]
    model.fit(tf.data.Dataset.from_tensors(data), verbose=0, steps_per_epoch=1)
    variables = [
        v for name, group in model.networks().items() for v in group if "seed" not in v.name
    ]
    moved = max(np.abs(v.numpy() - a).max() for v, a in zip(variables, before))
    assert moved > 1e-3  # a wrong scale would show
    return [v.numpy() for v in variables], {m.name: float(m.result()) for m in model.metrics}


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, "joint"])
def test_one_step_of_the_recipe_on_two_devices_equals_one_on_one(which):
    alone, _ = one_step(tf.distribute.get_strategy(), which, recipe=SHARED_RECIPE)
    mirrored, _ = one_step(strategy("2", 12), which, recipe=SHARED_RECIPE)
    for a, b in zip(alone, mirrored, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("which", "adaptive"), [(1, False), (0, True), ("joint", True)])
def test_one_step_on_two_devices_equals_one_on_one(which, adaptive):
    alone, alone_metrics = one_step(tf.distribute.get_strategy(), which, adaptive)
    mirrored, metrics = one_step(strategy("2", 12), which, adaptive)
    for a, b in zip(alone, mirrored):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert metrics == pytest.approx(alone_metrics, rel=1e-4, abs=1e-5)


def test_the_encoders_step_on_two_devices_equals_one_on_one():
    results = []
    for scope in (tf.distribute.get_strategy(), strategy("2", 12)):
        with scope.scope():
            config = make_config("digits", overrides=["encoder.dropout=0"])
            encoder, _ = build(config, (8, 8, 1), DIGITS)
            encoder.compile(keras.optimizers.SGD(0.1))
        rng = np.random.default_rng(0)
        encoder.fit(
            tf.data.Dataset.from_tensors((rng.random((12, 8, 8, 1)), rng.integers(0, 10, 12))),
            verbose=0,
            steps_per_epoch=1,
        )
        results.append([v.numpy() for v in encoder.trainable_variables])
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_noise_differs_between_replicas():
    mirrored = strategy("2", 4)
    with mirrored.scope():
        _, stack = build(make_config("digits"), (8, 8, 1), DIGITS)
    draws = mirrored.run(lambda: stack.levels[0].draw_noise(tf.constant([1, 2]), 5))
    a, b = (z.numpy() for z in mirrored.experimental_local_results(draws))
    assert a.shape == b.shape == (5, stack.levels[0].config.z_dim)
    assert (a != b).all()
    np.testing.assert_array_equal(
        np.concatenate([a, b]), stack.levels[0].draw_noise(tf.constant([1, 2]), 10)
    )


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("3", "3 asked for, but there are 2"),
        ("some", "neither a number"),
        ("0", "neither a number"),
        ("-1", "neither a number"),
    ],
)
def test_devices_that_cannot_be(devices, message):
    with pytest.raises(UsageError, match=message):
        strategy(devices, 12)


def test_a_batch_that_the_devices_do_not_divide():
    with pytest.raises(UsageError, match="do not divide the batch size 13"):
        strategy("2", 13)
