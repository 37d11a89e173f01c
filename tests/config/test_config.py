import dataclasses
import json

import pytest
from shared import DIGITS

from sgan_tf.config.presets import PRESETS, make_config
from sgan_tf.config.schema import SCHEMA, Config, with_overrides
from sgan_tf.config.validation import ConfigError
from sgan_tf.data.datasets import DATASETS
from sgan_tf.models.build import build, check_names

ALONE = ("mnist-release-independent",)  # presets without a joint stage
CUTS = [[], ["fc3"], ["pool2", "fc3"]]


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_serves_every_list_of_cuts_and_survives_json(preset, cuts):
    if preset == "mnist-release" and not cuts:
        with pytest.raises(ConfigError, match="no joint stage that would train this level"):
            make_config("mnist", preset, cuts)
        return
    config = make_config("mnist", preset, cuts)
    assert len(config.levels) == len(cuts) + 1
    assert Config.from_json(config.to_json()) == config
    assert ("joint" in config.stages()) == (bool(cuts) and preset not in ALONE)


def test_presets_are_flat_rows_of_plain_values():
    for preset in PRESETS.values():
        for name, settings in dataclasses.asdict(preset).items():
            for value in settings.values() if isinstance(settings, dict) else [settings]:
                items = value if isinstance(value, list) else [value]
                assert all(isinstance(x, (int, float, str)) for x in items), name


def test_the_release_on_mnist_is_its_two_scripts():
    joint = make_config("mnist", "mnist-release")
    assert joint.stages() == {"encoder": 5, "joint": 200}  # from scratch
    assert joint.joint.lower_weight == 0  # G_1 minimises L_G1 alone
    assert [level.d_dense_slope for level in joint.levels] == [0, 0]
    assert joint.levels[1].head_init == "glorot_uniform"
    alone = make_config("mnist", "mnist-release-independent")
    assert alone.stages() == {"encoder": 5, "level0": 200, "level1": 200}
    assert [level.d_dense_slope for level in alone.levels] == [0.2, 0.2]
    assert [level.head_init for level in alone.levels] == ["normal", "normal"]


def test_overrides_are_typed_and_leave_the_presets_alone():
    config = make_config(
        "svhn",
        preset="svhn-release",
        overrides=[
            "levels.0.lambda_ent=0",
            "levels.1.d_units=[32, 64]",
            "levels.1.regularizers.r1=0.5",
            "encoder.learning_rate=1e-2",
            "encoder.flip=true",
        ],
    )
    level0, level1 = config.levels
    assert (level0.lambda_ent, level1.d_units, level1.regularizers) == (0.0, [32, 64], {"r1": 0.5})
    assert (config.encoder.learning_rate, config.encoder.flip) == (0.01, True)
    fresh = make_config("svhn", "svhn-release")
    assert fresh.levels[0].lambda_ent == 10.0
    assert sorted(line.split(":")[0] for line in fresh.differences(config)) == [
        "encoder.flip",
        "encoder.learning_rate",
        "levels.0.lambda_ent",
        "levels.1.d_units",
        "levels.1.regularizers.r1",
    ]


def test_presets_mirror_images_only_where_mirror_images_are_as_real():
    for preset in ("cifar10", "cifar10-small"):
        flips = {name: make_config(name, preset).encoder.flip for name in ("svhn", "mnist")}
        flips |= {name: make_config(name, preset).encoder.flip for name in ("cifar10", "folder")}
        assert flips == {"cifar10": True, "svhn": False, "mnist": False, "folder": False}
    assert make_config("folder", overrides=["encoder.flip=true"]).encoder.flip is True


def test_epochs_are_those_of_every_stage_that_has_any():
    assert make_config("mnist", "mnist-release", epochs=3).stages() == {"encoder": 3, "joint": 3}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(dataset="imagenet"), "`dataset`: unknown data set 'imagenet'"),
        (dict(preset="huge"), "`preset`: unknown preset 'huge'"),
        (dict(cuts=["fc9"]), "`cuts`: unknown layer 'fc9'"),
        (dict(cuts=["fc3", "pool2"]), "`cuts`: fc3,pool2 is not in bottom-up order"),
        (dict(cuts=["fc3", "fc3"]), "`cuts`: fc3,fc3 is not"),
        (dict(seed=-1), "`seed`: -1"),
        (dict(labels="clusters:1"), "`labels`: clusters:1 is not given, none or clusters:K, K at"),
        (dict(labels="colours"), "`labels`: colours is not given, none or clusters:K"),
        (
            dict(image_size=10),
            "`image_size`: the networks cannot produce 10 x 10 pixels; sizes near it that they "
            "can: 4, 8, 12, 16",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    refuse(message, lambda: make_config(**arguments))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("levels.0.lamda=1", "levels.0.lamda is not a setting"),
        ("levels.7.z_dim=1", "levels.7.z_dim is not a setting"),
        ("levels.0.lambda_ent=x", "'x' of type 'str' could not be converted to Float"),
        ("levels.0.z_dim=1.5", "'1.5' of type 'str' could not be converted to Integer"),
        ("levels.0.z_dim=0", "levels.0.z_dim: 0 is not above 0"),
        ("levels.0.posterior_weight=0", "levels.0.posterior_weight: 0.0 is not above 0"),
        ("encoder.shift=-1", "encoder.shift: -1 is not at least 0"),
        ("encoder.objective=simclr", "encoder.objective: simclr is not one of vicreg, barlow"),
        ("encoder.expander=[]", "encoder.expander: [] is not at least one"),
        ("encoder.epochs=0", "encoder.epochs: 0 is not at least 1"),
        ("levels.0.d_channels=7", "levels.0.d_channels is not a setting, or"),
        ("levels.0.g_channels=[]", "levels.0.g_channels: [] is not at least one number"),
        ("levels.0.d_family=dense", "levels.0.d_family: dense is not one of strided, allconv"),
        ("levels.0.noise=laplace", "levels.0.noise: laplace is not one of uniform, normal"),
        ("levels.0.d_projection=[color]", "levels.0.d_projection: ['color'] is not of labels"),
        ("levels.1.d_features=[pool1]", "levels.1.d_features: ['pool1'] is not empty"),
        ("levels.0.d_features=[fc3]", "levels.0.d_features: ['fc3'] is not of conv1, pool1"),
        ("levels.0.ema=1", "levels.0.ema: 1.0 is not in [0, 1)"),
        ("levels.0.decay_from=2", "levels.0.decay_from: 2.0 is not in [0, 1]"),
        ("levels.0.regularize_every=0", "levels.0.regularize_every: 0 is not above 0"),
        ("levels.0.loss_units=bits", "levels.0.loss_units: bits is not one of raw, variance"),
        ("precision=float16", "precision has a flag of its own"),
        ("levels.0.regularizers.r1=x", "could not be converted to Float"),
        ("levels.0.regularizers.r1=-1", "is not names with weights above 0"),
        ("levels.0.lambda_adv=nan", "levels.0.lambda_adv: nan"),
        ("levels.0.learning_rate=inf", "levels.0.learning_rate: inf is not a finite number"),
        ("levels.1.lambda_cond=inf", "levels.1.lambda_cond: inf is not a finite number"),
        ("levels.0.regularizers.r1=inf", "levels.0.regularizers: {'r1': inf} is not names with"),
        ("levels.0.regularizers.r1=nan", "levels.0.regularizers: {'r1': nan} is not names with"),
        ("encoder.learning_rate=inf", "encoder.learning_rate: inf is not a finite number"),
        ("encoder.weight_decay=inf", "encoder.weight_decay: inf is not a finite number"),
        ("encoder.dropout=nan", "encoder.dropout: nan is not a finite number"),
        ("joint.learning_rate=nan", "joint.learning_rate: nan is not a finite number"),
        ("joint.lower_weight=inf", "joint.lower_weight: inf is not a finite number"),
        ("joint.adaptive_watch=top", "joint.adaptive_watch: top is not one of bottom, least"),
        ("batch_size=1", "batch_size: 1 is not at least 2"),
        ("cuts=[fc3]", "cuts has a flag of its own"),
        ("labels=none", "labels has a flag of its own"),
        ("nonsense", "'nonsense' is not name=value"),
    ],
)
def test_bad_settings_are_named(override, message):
    refuse(message, lambda: make_config(overrides=[override]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("levels.0.adversarial=wgan", "levels.0.adversarial: wgan is not one of binary, class_l"),
        ("levels.1.regularizers.r9=1", "levels.1.regularizers: r9 is not one of r1"),
        ("levels.0.cond_augment=[blur]", "levels.0.cond_augment: blur is not one of translation"),
        ("levels.0.augment=[blur]", "levels.0.augment: blur is not one of translation"),
        ("encoder.views=[blur]", "encoder.views: blur is not one of translation"),
    ],
)
def test_a_name_that_no_table_of_losses_has(override, message):
    config = make_config(overrides=[override])
    refuse(message, lambda: build(config, (8, 8, 1), DIGITS))


STEPS = "levels.0.adaptive_steps=true"
JOINT = ["joint.adaptive_steps=true", "levels.1.adversarial=hinge"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["levels.0.adversarial=hinge", STEPS], "levels.0.adaptive_steps: True is not false, as"),
        (["levels.0.adversarial=hinge", JOINT[0]], "joint.adaptive_steps: True is not false, as"),
        ([*JOINT, "joint.adaptive_watch=least"], "joint.adaptive_steps: True is not false, as"),
        (["levels.0.adversarial=relativistic", STEPS], None),
        (["levels.0.adversarial=class_logits", STEPS], None),
        (["levels.1.adversarial=hinge", STEPS], None),  # another level's loss
        (JOINT, None),
    ],
)
def test_adaptive_steps_need_a_loss_of_log_2_at_chance(overrides, message):
    config = make_config(overrides=overrides)
    if message is None:
        check_names(config)
    else:
        refuse(message, lambda: check_names(config))


def test_every_data_set_has_a_default_preset():
    presets = [make_config(name).preset for name in DATASETS]
    assert presets == ["digits", "mnist", "svhn", "cifar10", "cifar10-small"]


def test_text_of_other_versions():
    config = make_config("svhn", "svhn-release")
    tree = json.loads(config.to_json())
    assert tree["schema"] == SCHEMA
    old = {name: value for name, value in tree.items() if name != "schema"}
    for level in old["levels"]:  # version 0.1.0 had none of these
        for name in ("g_kernel", "regularizers", "augment", "ema", "d_spectral", "loss_units"):
            del level[name]
    del old["precision"], old["flip"]
    del old["joint"]["adaptive_watch"]
    assert Config.from_json(json.dumps(old)) == with_overrides(
        config, ["joint.adaptive_watch=least"]
    )
    refuse("of a newer version", lambda: Config.from_json(json.dumps({**tree, "schema": 99})))
    for text in ("", "[]", "{", '{"hello": 1}', '{"schema": "x"}', "{}\n{}"):
        refuse("", lambda text=text: Config.from_json(text))


def refuse(message, function):
    with pytest.raises(ConfigError) as error:
        function()
    assert message in str(error.value)
    assert "\n" not in str(error.value)
