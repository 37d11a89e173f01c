import json
import os
import pathlib

import keras
import numpy as np
import pytest

from sgan_tf.config import make_config
from sgan_tf.run import Run, RunError, read_config


def refuse(message, function, *arguments, **keywords):
    with pytest.raises(RunError) as error:
        function(*arguments, **keywords)
    assert message in str(error.value) and "\n" not in str(error.value)


def state(*arrays):
    return {"network": [keras.Variable(a, name="w") for a in arrays]}


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    run = Run.open(tmp_path / "run", make_config())
    saved = [
        np.random.default_rng(0).normal(size=(3, 4)).astype("float32"),
        np.array(7, "int64"),
        np.zeros((0, 2), "float32"),
    ]
    assert run.progress("level0") == (0, False)
    run.save("level0", state(*saved), step=12, done=False)
    assert run.progress("level0") == (12, False)
    target = state(*[np.zeros_like(a) for a in saved])
    read = run.load("level0", target)
    for a, b, c in zip(saved, target["network"], read["network"]):
        np.testing.assert_array_equal(a, b.numpy())
        np.testing.assert_array_equal(a, c)


def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path):
    run = Run.open(tmp_path / "run", make_config())
    run.save("level0", state(np.arange(100, dtype="float32")), 1, False)
    path = run.checkpoint("level0")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-10] ^= 1
    for damaged in (whole[:-30], whole[:20], b"", bytes(flipped)):
        path.write_bytes(damaged)
        refuse("is damaged", run.progress, "level0")
        refuse(str(path), run.load, "level0", state(np.zeros(100, "float32")))
        assert path.read_bytes() == damaged
    path.write_bytes(whole)
    refuse("does not fit", run.load, "level0", state(np.zeros(99, "float32")))


def test_what_is_not_finite_is_not_saved(tmp_path):
    run = Run.open(tmp_path / "run", make_config())
    run.save("level0", state(np.ones(3, "float32")), 1, False)
    with pytest.raises(FloatingPointError, match="network"):
        run.save("level0", state(np.array([1, np.nan, 1], "float32")), 2, False)
    assert run.progress("level0") == (1, False)


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


def test_overwrite_starts_anew_and_touches_nothing_else(tmp_path):
    run = Run.open(tmp_path / "run", make_config())
    run.record("data.json", {})
    run.save("level0", state(np.ones(3, "float32")), 1, True)
    run.append_metrics({"stage": "level0", "step": 1})
    (run.path / "notes.md").write_text("mine")
    run.close()
    run = Run.open(tmp_path / "run", make_config(seed=1), overwrite=True)
    assert run.progress("level0") == (0, False) and run.read_metrics() == []
    assert (run.path / "notes.md").read_text() == "mine"


def test_folders_that_are_not_ours(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("x")
    for overwrite in (False, True):
        refuse("is not a run of sgan_tf", Run.open, tmp_path / "photos", make_config(), overwrite)
    (tmp_path / "file").write_text("x")
    refuse("is not a directory", Run.open, tmp_path / "file", make_config())
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "config.json").write_text('{"hello": 1}')
    refuse("not a configuration of this version", Run.open, tmp_path / "foreign", make_config())
    refuse("holds a config.json but no run", Run.open, tmp_path / "foreign", make_config(), True)
    assert os.listdir(tmp_path / "photos") == ["holiday.jpg"]
    assert (tmp_path / "foreign" / "config.json").read_text() == '{"hello": 1}'


def test_a_folder_that_cannot_be_written():
    # Not even root can write there, unlike in a folder whose mode is read-only.
    refuse("cannot write to", Run.open, pathlib.Path("/proc/sgan_run"), make_config())


def test_two_processes_do_not_share_a_run(tmp_path):
    run = Run.open(tmp_path / "run", make_config())
    refuse("in use by another process", Run.open, run.path, make_config())


def test_metrics_beyond_the_checkpoint_are_forgotten(tmp_path):
    run = Run.open(tmp_path / "run", make_config())
    for stage, step in (("encoder", 10), ("level0", 10), ("level0", 20)):
        run.append_metrics({"stage": stage, "step": step})
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"stage": "lev')
    run.forget_metrics("level0", 15)
    assert [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()] == [
        {"stage": "encoder", "step": 10},
        {"stage": "level0", "step": 10},
    ]


def test_half_written_files_are_cleared_away(tmp_path):
    run = Run.open(tmp_path / "run", make_config())
    (run.path / "checkpoints" / ".partial-x").write_text("half")
    run.close()
    run = Run.open(tmp_path / "run", make_config())
    assert os.listdir(run.path / "checkpoints") == []
