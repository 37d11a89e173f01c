import dataclasses

import pytest
from refusal import refuse

from sgan_tf.config.presets import PRESETS, make_config
from sgan_tf.config.schema import Config
from sgan_tf.config.validation import ConfigError
from sgan_tf.data.datasets import DATASETS
from sgan_tf.models.build import check_config

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
    check_config(config)
    assert len(config.levels) == len(cuts) + 1
    assert Config.from_json(config.to_json()) == config
    assert ("joint" in config.stages()) == (bool(cuts) and preset not in ALONE)


def test_presets_are_rows_of_plain_values():
    def leaves(value):
        if isinstance(value, (dict, list)):
            parts = value.values() if isinstance(value, dict) else value
            return [leaf for part in parts for leaf in leaves(part)]
        return [value]

    for preset in PRESETS.values():
        assert all(isinstance(x, (int, float, str)) for x in leaves(dataclasses.asdict(preset)))


def test_the_release_on_mnist_is_its_two_scripts():
    joint = make_config("mnist", "mnist-release")
    assert joint.stages() == {"encoder": 5, "joint": 200}  # from scratch
    assert joint.joint.lower_weight == 0  # G_1 minimises L_G1 alone
    assert [level.discriminator.dense_slope for level in joint.levels] == [0, 0]
    assert joint.levels[1].discriminator.head_init == "glorot_uniform"
    alone = make_config("mnist", "mnist-release-independent")
    assert alone.stages() == {"encoder": 5, "level0": 200, "level1": 200}
    assert [level.discriminator.dense_slope for level in alone.levels] == [0.2, 0.2]
    assert [level.discriminator.head_init for level in alone.levels] == ["normal", "normal"]


def test_presets_mirror_images_only_where_mirror_images_are_as_real():
    for preset in ("cifar10", "cifar10-small"):
        flips = {name: make_config(name, preset).encoder.flip for name in ("svhn", "mnist")}
        flips |= {name: make_config(name, preset).encoder.flip for name in ("cifar10", "folder")}
        assert flips == {"cifar10": True, "svhn": False, "mnist": False, "folder": False}
    assert make_config("folder", overrides=["encoder.flip=true"]).encoder.flip is True


def test_epochs_are_those_of_every_stage_that_has_any():
    assert make_config("mnist", "mnist-release", epochs=3).stages() == {"encoder": 3, "joint": 3}


def test_every_data_set_has_a_default_preset():
    presets = [make_config(name).preset for name in DATASETS]
    assert presets == ["digits", "mnist", "svhn", "cifar10", "cifar10-small"]


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
