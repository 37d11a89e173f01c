import dataclasses

import pytest
from refusal import refuse
from shared import DIGITS

from sgan_tf.config.presets import make_config
from sgan_tf.models.build import build, check_config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("levels.0.z_dim=0", "levels.0.z_dim: 0 is not above 0"),
        ("levels.0.loss.posterior_weight=0", "levels.0.loss.posterior_weight: 0.0 is not above 0"),
        ("encoder.shift=-1", "encoder.shift: -1 is not at least 0"),
        ("encoder.channels=[8]", "encoder.channels: [8] is not two positive numbers"),
        ("encoder.expander=[]", "encoder.expander: [] is not at least one"),
        ("encoder.padding=full", "encoder.padding: full is not one of valid, same"),
        ("encoder.views=[]", "encoder.views: [] is not at least one"),
        ("encoder.epochs=0", "encoder.epochs: 0 is not at least 1"),
        ("encoder.epochs=-1", "encoder.epochs: -1 is not at least 0"),
        ("levels.0.generator.noise_units=[0]", "noise_units: [0] is not a list of positive"),
        ("levels.0.discriminator.projection=[color]", "projection: ['color'] is not of labels"),
        ("levels.0.discriminator.dropout=1", "discriminator.dropout: 1.0 is not in [0, 1)"),
        ("levels.1.features=[pool1]", "levels.1.features: ['pool1'] is not empty"),
        ("levels.0.features=[fc3]", "levels.0.features: ['fc3'] is not of conv1, pool1"),
        ("levels.0.ema=1", "levels.0.ema: 1.0 is not in [0, 1)"),
        ("levels.0.optimizer.decay_from=2", "optimizer.decay_from: 2.0 is not in [0, 1]"),
        ("joint.optimizer.beta_1=1", "joint.optimizer.beta_1: 1.0 is not in [0, 1)"),
        ("levels.0.loss.regularize_every=0", "loss.regularize_every: 0 is not above 0"),
        ("levels.0.loss.units=bits", "levels.0.loss.units: bits is not one of raw, variance"),
        ("levels.0.loss.regularizers.r1=-1", "is not names with weights above 0"),
        ("levels.0.loss.lambda_adv=-1", "levels.0.loss.lambda_adv: -1.0 is not at least 0"),
        ("joint.adaptive_watch=top", "joint.adaptive_watch: top is not one of bottom, least"),
        ("batch_size=1", "batch_size: 1 is not at least 2"),
    ],
)
def test_bad_settings_are_named(override, message):
    refuse(message, lambda: make_config(overrides=[override]))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "name",
    [
        "levels.0.loss.lambda_adv",
        "levels.1.loss.regularizers.r1",
        "levels.0.optimizer.learning_rate",
        "levels.0.discriminator.input_noise",
        "joint.lower_weight",
        "encoder.weight_decay",
    ],
)
def test_numbers_are_finite(name, value):
    refuse("is not a finite number", lambda: make_config(overrides=[f"{name}={value}"]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("levels.0.noise=laplace", "levels.0.noise: laplace is not one of uniform, normal"),
        ("levels.0.loss.adversarial=wgan", "loss.adversarial: wgan is not one of binary, class_l"),
        ("levels.1.loss.regularizers.r9=1", "levels.1.loss.regularizers: r9 is not one of r1"),
        ("levels.0.loss.cond_augment=[blur]", "cond_augment: blur is not one of translation"),
        ("levels.0.loss.augment=[blur]", "loss.augment: blur is not one of translation"),
        ("encoder.views=[blur]", "encoder.views: blur is not one of translation"),
        ("encoder.objective=simclr", "encoder.objective: simclr is not one of vicreg, barlow"),
        ("levels.0.generator.family=unet", "family: unet is not one of mirror, pyramid, shapes, f"),
        ("levels.1.generator.family=mirror", "family: mirror is not one of dense, for fc3"),
        ("levels.0.generator.channels=[]", "channels: [] is not at least one number, as mirror"),
        ("levels.0.discriminator.family=dense", "family: dense is not one of strided, halved, for"),
        ("levels.1.discriminator.units=[]", "units: [] is not at least one number, as dense tak"),
    ],
)
def test_a_name_that_no_registry_has_and_a_network_that_is_impossible(override, message):
    config = make_config(overrides=[override])
    refuse(message, lambda: build(config, (8, 8, 1), DIGITS))


def test_an_allconv_discriminator_takes_six_widths():
    override = "levels.0.discriminator.channels=[8,8]"
    config = make_config("svhn", "svhn-release", overrides=[override])
    message = "levels.0.discriminator.channels: [8, 8] is not 6 numbers, as allconv takes"
    refuse(message, lambda: build(config, (32, 32, 3), DIGITS))


def test_a_sigmoid_reaches_no_normal_noise():
    overrides = ["levels.0.noise=normal", "levels.0.discriminator.posterior_activation=sigmoid"]
    config = make_config(overrides=overrides)
    message = "posterior_activation: sigmoid is not linear, as normal noise needs"
    refuse(message, lambda: build(config, (8, 8, 1), DIGITS))


STEPS = "levels.0.optimizer.adaptive_steps=true"
JOINT = ["joint.optimizer.adaptive_steps=true", "levels.1.loss.adversarial=hinge"]


@pytest.mark.parametrize(
    ("overrides", "section"),
    [
        (["levels.0.loss.adversarial=hinge", STEPS], "levels.0"),
        (["levels.0.loss.adversarial=hinge", JOINT[0]], "joint"),
        ([*JOINT, "joint.adaptive_watch=least"], "joint"),
        (["levels.0.loss.adversarial=relativistic", STEPS], None),
        (["levels.0.loss.adversarial=class_logits", STEPS], None),
        (["levels.1.loss.adversarial=hinge", STEPS], None),  # another level's loss
        (JOINT, None),
    ],
)
def test_adaptive_steps_need_a_loss_of_log_2_at_chance(overrides, section):
    config = make_config(overrides=overrides)
    if section is None:
        check_config(config)
    else:
        message = f"{section}.optimizer.adaptive_steps: True is not false, as hinge needs"
        refuse(message, lambda: check_config(config))


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_a_level_without_settings_of_networks_is_not_for_build(network):
    config = make_config()
    config.levels[1] = dataclasses.replace(config.levels[1], **{network: None})
    refuse(f"levels.1.{network}: none is not", lambda: build(config, (8, 8, 1), DIGITS))
