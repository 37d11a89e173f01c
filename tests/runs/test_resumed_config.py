import json

import keras
import numpy as np
import pytest
from run_refusal import refuse

from sgan_tf.config.presets import make_config
from sgan_tf.runs.resume import read_config
from sgan_tf.runs.run import Run


def save(run, stage, step, done):
    run.checkpoint(stage).save({"network": [keras.Variable(np.ones(3), name="w")]}, step, done)


def test_another_configuration_is_refused_naming_the_difference(tmp_path):
    Run.open(tmp_path / "run", make_config()).close()
    before = (tmp_path / "run" / "config.json").read_text()
    refuse(
        "levels.1.z_dim: 16 -> 7",
        Run.open,
        tmp_path / "run",
        make_config(overrides=["levels.1.z_dim=7"]),
    )
    assert (tmp_path / "run" / "config.json").read_text() == before
    assert read_config(tmp_path / "run") == make_config()


def test_a_lost_config_is_recovered_from_the_checkpoints(tmp_path):
    config = make_config(seed=5)
    run = Run.open(tmp_path / "run", config)
    state = {"network": [keras.Variable(np.ones(3), name="w")]}
    run.checkpoint("encoder").save(state, 1, False, config=config.to_json())
    run.close()
    (run.path / "config.json").unlink()
    assert read_config(run.path) == config
    Run.open(run.path, config).close()
    assert (run.path / "config.json").read_text() == config.to_json()
    (run.path / "config.json").unlink()
    refuse("seed: 5 -> 0", Run.open, run.path, make_config())


def with_epochs(encoder, level0, level1, joint):
    epochs = {"encoder": encoder, "levels.0": level0, "levels.1": level1, "joint": joint}
    return make_config(overrides=[f"{name}.epochs={n}" for name, n in epochs.items()])


@pytest.fixture
def begun(tmp_path):
    """Makes a run of (5, 5, 5, 5) epochs in which some stages have begun."""

    def make(*stages):
        run = Run.open(tmp_path / "run", with_epochs(5, 5, 5, 5))
        run.record("data.json", {})
        for stage in stages:
            save(run, stage, 10, True)
        run.close()
        return run.path

    return make


@pytest.mark.parametrize(
    ("stages", "epochs"),
    [
        ([], (6, 6, 6, 6)),
        (["encoder"], (5, 6, 6, 6)),
        (["encoder", "level0"], (5, 9, 5, 7)),
        (["encoder", "level0", "level1", "joint"], (5, 5, 5, 8)),
    ],
)
def test_epochs_may_grow_where_the_past_stays(begun, stages, epochs):
    path = begun(*stages)
    run = Run.open(path, with_epochs(*epochs))
    assert run.config == read_config(path) == with_epochs(*epochs)


@pytest.mark.parametrize(
    ("stages", "epochs", "message"),
    [
        (["encoder"], (6, 5, 5, 5), "encoder.epochs: 5 -> 6; encoder: its learning rates follow"),
        (["encoder", "level0"], (6, 5, 5, 5), "encoder.epochs: 5 -> 6"),
        (["encoder", "joint"], (5, 6, 5, 5), "levels.0.epochs: 5 -> 6; level0: joint stands on it"),
        ([], (5, 4, 5, 5), "levels.0.epochs: 5 -> 4"),
    ],
)
def test_what_would_change_the_past_is_refused_and_named(begun, stages, epochs, message):
    path = begun(*stages)
    before = (path / "config.json").read_bytes()
    refuse(message, Run.open, path, with_epochs(*epochs))
    assert (path / "config.json").read_bytes() == before


def test_asking_every_stage_for_more_raises_those_that_can_be(begun):
    path = begun("encoder", "level0", "level1", "joint")
    run = Run.open(path, with_epochs(9, 9, 9, 9), keep_epochs=True)
    assert run.config == with_epochs(5, 5, 5, 9)
    run.close()
    refuse("levels.0.epochs: 5 -> 4", Run.open, path, with_epochs(9, 4, 9, 9), keep_epochs=True)


def test_a_field_that_is_new_does_not_make_another_configuration(tmp_path):
    Run.open(tmp_path / "run", make_config()).close()
    path = tmp_path / "run" / "config.json"
    tree = json.loads(path.read_text())
    del tree["levels"][0]["loss"]["regularizers"], tree["joint"]["adaptive_watch"]
    path.write_text(json.dumps(tree))
    assert Run.open(tmp_path / "run", make_config()).config == make_config()
