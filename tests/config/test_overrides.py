import pytest
from refusal import refuse

from sgan_tf.config.presets import make_config


def test_overrides_are_typed_and_leave_the_presets_alone():
    config = make_config(
        "svhn",
        preset="svhn-release",
        overrides=[
            "levels.0.loss.lambda_ent=0",
            "levels.1.discriminator.units=[32, 64]",
            "levels.1.loss.regularizers.r1=0.5",
            "encoder.learning_rate=1e-2",
            "encoder.flip=true",
        ],
    )
    level0, level1 = config.levels
    assert (level0.loss.lambda_ent, level1.discriminator.units) == (0.0, [32, 64])
    assert level1.loss.regularizers == {"r1": 0.5}
    assert (config.encoder.learning_rate, config.encoder.flip) == (0.01, True)
    fresh = make_config("svhn", "svhn-release")
    assert fresh.levels[0].loss.lambda_ent == 10.0
    assert sorted(line.split(":")[0] for line in fresh.differences(config)) == [
        "encoder.flip",
        "encoder.learning_rate",
        "levels.0.loss.lambda_ent",
        "levels.1.discriminator.units",
        "levels.1.loss.regularizers.r1",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("levels.0.loss.lamda=1", "levels.0.loss.lamda is not a setting"),
        ("levels.0.loss=1", "levels.0.loss is not a setting"),
        ("levels.7.z_dim=1", "levels.7.z_dim is not a setting"),
        ("levels.0.loss.lambda_ent=x", "'x' of type 'str' could not be converted to Float"),
        ("levels.0.z_dim=1.5", "'1.5' of type 'str' could not be converted to Integer"),
        ("levels.0.discriminator.channels=7", "discriminator.channels is not a setting, or"),
        ("levels.0.loss.regularizers.r1=x", "could not be converted to Float"),
        ("precision=float16", "precision has a flag of its own"),
        ("cuts=[fc3]", "cuts has a flag of its own"),
        ("labels=none", "labels has a flag of its own"),
        ("nonsense", "'nonsense' is not name=value"),
    ],
)
def test_what_is_no_setting_is_named(override, message):
    refuse(message, lambda: make_config(overrides=[override]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("levels.0.d_channels=[8]", "levels.0.d_channels is levels.0.discriminator.channels"),
        ("levels.1.q_prior_init=true", "is levels.1.discriminator.posterior_prior_init"),
        ("levels.0.regularizers.r1=1", "is levels.0.loss.regularizers.r1"),
        ("levels.0.d_features=[pool1]", "is levels.0.features"),
        ("joint.learning_rate=1", "joint.learning_rate is joint.optimizer.learning_rate"),
    ],
)
def test_a_name_of_earlier_versions_is_told_its_new_one(old, new):
    refuse(f"{new} since schema 3", lambda: make_config(overrides=[old]))
