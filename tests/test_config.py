import pytest

from sgan_tf.config import PRESETS, Config, ConfigError, make_config
from sgan_tf.datasets import DATASETS


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("cuts", [[], ["fc3"], ["pool2", "fc3"]])
def test_every_preset_serves_every_list_of_cuts_and_survives_json(preset, cuts):
    config = make_config("mnist", preset, cuts)
    assert len(config.levels) == len(cuts) + 1
    assert Config.from_json(config.to_json()) == config
    assert ("joint" in config.stages()) == bool(cuts)


def test_overrides_are_typed_and_leave_the_presets_alone():
    config = make_config(
        "svhn",
        overrides=[
            "levels.0.lambda_ent=0",
            "levels.1.d_units=[32, 64]",
            "encoder.learning_rate=1e-2",
            "encoder.flip=true",
        ],
    )
    assert (
        config.levels[0].lambda_ent,
        config.levels[1].d_units,
        config.encoder.learning_rate,
        config.encoder.flip,
    ) == (0.0, [32, 64], 0.01, True)
    fresh = make_config("svhn")
    assert fresh.levels[0].lambda_ent == 10.0
    assert sorted(line.split(":")[0] for line in fresh.differences(config)) == [
        "encoder.flip",
        "encoder.learning_rate",
        "levels.0.lambda_ent",
        "levels.1.d_units",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(dataset="imagenet"), "--dataset: unknown data set 'imagenet'"),
        (dict(preset="huge"), "--preset: unknown preset 'huge'"),
        (dict(cuts=["fc9"]), "--cuts: unknown layer 'fc9'"),
        (dict(cuts=["fc3", "pool2"]), "--cuts: fc3,pool2 is not in bottom-up order"),
        (dict(cuts=["fc3", "fc3"]), "--cuts: fc3,fc3 is not"),
        (dict(seed=-1), "--seed: -1"),
        (
            dict(image_size=10),
            "--image_size: the networks cannot produce 10 x 10 pixels; sizes near it that they can: 4, 8, 12, 16",
        ),
    ]
    + [
        (dict(overrides=[text]), message)
        for text, message in [
            ("levels.0.lamda=1", "levels.0.lamda is not a setting"),
            ("levels.7.z_dim=1", "levels.7.z_dim is not a setting"),
            ("levels.0.lambda_ent=x", "'x' of type 'str' could not be converted to Float"),
            ("levels.0.z_dim=1.5", "'1.5' of type 'str' could not be converted to Integer"),
            ("levels.0.z_dim=0", "levels.0.z_dim: 0 is not above 0"),
            ("levels.0.posterior_weight=0", "levels.0.posterior_weight: 0.0 is not above 0"),
            ("encoder.shift=-1", "encoder.shift: -1 is not at least 0"),
            ("levels.0.d_channels=7", "levels.0.d_channels is not a setting, or"),
            ("levels.0.d_family=dense", "levels.0.d_family: dense is not one of strided, allconv"),
            (
                "levels.0.adversarial=hinge",
                "levels.0.adversarial: hinge is not one of binary, class_logits",
            ),
            ("levels.0.lambda_adv=nan", "levels.0.lambda_adv: nan"),
            ("batch_size=1", "batch_size: 1 is not at least 2"),
            ("cuts=[fc3]", "cuts has a flag of its own"),
            ("nonsense", "'nonsense' is not name=value"),
        ]
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ConfigError) as error:
        make_config(**arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_every_data_set_has_a_default_preset():
    assert [make_config(name).preset for name in DATASETS] == [
        "digits",
        "mnist",
        "svhn",
        "cifar10",
        "cifar10-small",
    ]
