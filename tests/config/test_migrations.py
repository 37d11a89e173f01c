"""Configurations that earlier versions wrote."""

import dataclasses
import json
import pathlib

import pytest
from refusal import refuse

from sgan_tf.config.migrations import SCHEMA, migrated_level, renamed
from sgan_tf.config.overrides import with_overrides
from sgan_tf.config.presets import make_config
from sgan_tf.config.schema import Config, LevelConfig, from_tree

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"


def old_tree(version):
    return json.loads((FIXTURES / version / "run" / "config.json").read_text())


def test_schema_1():
    tree, config = old_tree("v0.1.0"), Config.from_json(json.dumps(old_tree("v0.1.0")))
    assert "schema" not in tree
    assert config.seed == tree["seed"] and config.cuts == tree["cuts"]
    for old, level in zip(tree["levels"], config.levels, strict=True):
        assert level.z_dim == old["z_dim"] and level.epochs == old["epochs"]
        assert level.generator.channels == old["g_channels"]
        assert level.discriminator.posterior_activation == old["q_activation"]
        assert level.loss.lambda_ent == old["lambda_ent"]
    assert [level.generator.family for level in config.levels] == ["mirror", "dense"]


def test_schema_1_pooled_with_the_encoders_kernel_and_watched_all_levels():
    tree = old_tree("v0.1.0")
    tree["cuts"], tree["encoder"]["kernel_size"] = ["conv1", "pool1"], 3
    tree["levels"] = [tree["levels"][0]] * 3
    tree["joint"]["adaptive_steps"] = True
    config = Config.from_json(json.dumps(tree))
    assert [level.generator.kernel_size for level in config.levels] == [0, 3, 0]
    assert config.joint.adaptive_watch == "least" and config.joint.optimizer.adaptive_steps


def test_schema_2():
    tree, config = old_tree("schema-2"), Config.from_json(json.dumps(old_tree("schema-2")))
    assert tree["schema"] == 2
    for old, level in zip(tree["levels"], config.levels, strict=True):
        assert level.generator.noise_units == old["noise_units"]
        assert level.discriminator.spectral_norm == old["d_spectral"]
        assert level.features == old["d_features"]
        assert level.loss.units == old["loss_units"]
        assert level.optimizer.beta_1 == old["beta_1"] and level.ema == old["ema"]
    assert config.joint.optimizer.learning_rate == tree["joint"]["learning_rate"]
    assert Config.from_json(config.to_json()) == config


def test_settings_that_a_text_lacks_have_their_defaults():
    config = make_config("svhn", "svhn-release")
    tree = json.loads(config.to_json())
    assert tree["schema"] == SCHEMA
    for level in tree["levels"]:
        del level["ema"], level["loss"]["units"], level["generator"]["modulation"]
    del tree["precision"], tree["joint"]["adaptive_watch"]
    assert Config.from_json(json.dumps(tree)) == config


def test_every_old_name_of_a_level_has_one_new_one():
    # Of one level, all settings but those that are where they were.
    level, config = old_tree("schema-2")["levels"][0], make_config()
    moved = [name for name in level if name not in ("z_dim", "noise", "epochs", "ema")]
    names = [renamed(f"levels.0.{name}") for name in moved]
    assert len(set(names)) == len(names)
    for name in names:
        parts = name.split(".")[2:]
        found = config.levels[0]
        for part in parts:
            found = getattr(found, part)  # fails for a name that is none
    assert renamed("levels.0.z_dim") is None and renamed("encoder.learning_rate") is None


def test_a_level_of_either_schema():
    old = from_tree(LevelConfig, migrated_level({"z_dim": 4, "lambda_ent": 2.0, "d_units": [7]}))
    assert (old.z_dim, old.loss.lambda_ent, old.discriminator.units) == (4, 2.0, [7])
    assert old.generator is None
    new = make_config().levels[0]
    assert from_tree(LevelConfig, migrated_level(dataclasses.asdict(new))) == new


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 99}', "of a newer version (schema 99, here 3)"),
        ("", "not a configuration"),
        ("[]", "it holds no settings by their names"),
        ("{", "not a configuration"),
        ('{"hello": 1}', "not a configuration"),
        ('{"schema": "x"}', "not a configuration"),
        ('{"schema": 3, "levels": [{"d_units": [4]}]}', "not a configuration"),
        ("{}\n{}", "not a configuration"),
    ],
)
def test_what_is_no_configuration(text, message):
    refuse(message, lambda: Config.from_json(text))


def test_overrides_of_an_old_configuration_have_the_new_names():
    config = Config.from_json(json.dumps(old_tree("schema-2")))
    changed = with_overrides(config, ["levels.0.loss.lambda_ent=3"])
    assert config.differences(changed) == ["levels.0.loss.lambda_ent: 0.8 -> 3.0"]
