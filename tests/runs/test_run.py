import contextlib
import json
import os
import pathlib

import pytest
from run_refusal import refuse

from sgan_tf.config.presets import make_config
from sgan_tf.config.schema import ClassifierConfig
from sgan_tf.runs.resume import read_config
from sgan_tf.runs.run import Run

MADE = (  # by a run, its evaluation and its figures
    *("data.json", "versions.json", "metrics.jsonl", "encoder.json", "log.txt", "reals.png"),
    *("fakes_init.png", "fakes_joint_0003.png", "curves.png", "evaluation/metrics.json"),
    *("evaluation/report.html", "tensorboard/joint/events", "checkpoints/level0.safetensors"),
)


@pytest.fixture
def crowded(tmp_path):
    """A folder with all that a run makes, and a file of its user's."""
    Run.open(tmp_path / "run", make_config()).close()
    for name in MADE:
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (tmp_path / "run" / "notes.md").write_text("mine")
    return tmp_path / "run"


def left(path):
    files = (p for p in path.rglob("*") if p.is_file() and not p.name.startswith("lock"))
    return {str(p.relative_to(path)) for p in files}


def test_overwrite_starts_anew_and_touches_nothing_else(crowded):
    run = Run.open(crowded, make_config(seed=1), overwrite=True)
    assert run.progress("level0") == (0, False) and run.metrics.read() == []
    assert left(crowded) == {"notes.md", "config.json"} and run.config.seed == 1
    assert (crowded / "notes.md").read_text() == "mine"


@pytest.mark.parametrize("removals", range(1, 13))
def test_an_overwrite_that_was_killed_can_be_repeated(crowded, monkeypatch, removals):
    unlink, count = pathlib.Path.unlink, iter(range(100))

    def killed(path, missing_ok=False):
        if next(count) >= removals:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    monkeypatch.setattr(pathlib.Path, "unlink", killed)
    run = Run(crowded)
    with contextlib.suppress(KeyboardInterrupt):
        run._clear()
    monkeypatch.undo()
    Run.open(crowded, make_config(seed=1), overwrite=True)
    assert left(crowded) == {"notes.md", "config.json"}


def test_an_overwrite_keeps_the_classifier_until_another_takes_its_place(crowded):
    given = crowded / "classifier.keras"
    given.write_bytes(b"the only copy")
    described = ClassifierConfig("", shapes=[[8, 8, 1]], activations=["sigmoid"])
    config = make_config(cuts=(), classifier=described)
    Run.open(crowded, config, overwrite=True).close()  # and killed before the next line
    assert left(crowded) == {"notes.md", "config.json", given.name}
    assert given.read_bytes() == b"the only copy"
    Run.open(crowded, make_config(), overwrite=True)
    assert not given.exists()


@pytest.mark.parametrize("text", [b"{", b"\xff\xfe\x00", b""])
def test_damaged_files_are_named_in_one_line(tmp_path, text):
    run = Run.open(tmp_path / "run", make_config())
    for name in ("data.json", "versions.json", "encoder.json"):
        (run.path / name).write_bytes(text)
        refuse(f"{run.path / name} is damaged", run.read_facts, name)
        refuse(str(run.path / name), run.record, name, {"a": 1})
    refuse("is damaged", run.data)
    refuse("cannot be read (No such file", run.read_facts, "absent.json")
    line = {"stage": "encoder", "epoch": 1, "step": 10}
    (run.path / "metrics.jsonl").write_bytes(json.dumps(line).encode() + b"\n" + text + b"\n[]\n3")
    assert run.metrics.read() == [line]
    (run.path / "config.json").write_bytes(text)
    refuse("config.json is", read_config, run.path)


def test_folders_that_are_not_ours(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("x")
    for overwrite in (False, True):
        refuse("is not a run of sgan_tf", Run.open, tmp_path / "photos", make_config(), overwrite)
    (tmp_path / "file").write_text("x")
    refuse("is not a directory", Run.open, tmp_path / "file", make_config())
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "config.json").write_text('{"hello": 1}')
    refuse("not a configuration", Run.open, tmp_path / "foreign", make_config())
    refuse("holds a config.json but no run", Run.open, tmp_path / "foreign", make_config(), True)
    assert os.listdir(tmp_path / "photos") == ["holiday.jpg"]
    assert (tmp_path / "foreign" / "config.json").read_text() == '{"hello": 1}'


def test_a_folder_that_cannot_be_written():
    # Not even root can write there, unlike in a folder whose mode is read-only.
    refuse("cannot write to", Run.open, pathlib.Path("/proc/sgan_run"), make_config())


def test_two_processes_do_not_share_a_run(tmp_path):
    run = Run.open(tmp_path / "run", make_config())
    refuse(f"in use by process {os.getpid()} on ", Run.open, run.path, make_config())


def test_half_written_files_are_cleared_away(tmp_path):
    run = Run.open(tmp_path / "run", make_config())
    (run.path / "checkpoints" / ".partial-x").write_text("half")
    run.close()
    run = Run.open(tmp_path / "run", make_config())
    assert os.listdir(run.path / "checkpoints") == []


def test_a_process_that_does_not_write_leaves_the_folder_alone(tmp_path):
    chief = Run.open(tmp_path / "run", make_config())
    before = sorted(os.listdir(chief.path))
    refuse("have to share", Run.open, tmp_path / "other", make_config(), writes=False)
    worker = Run.open(tmp_path / "run", make_config(), writes=False)
    worker.write("x.json", "{}")
    worker.metrics.append({"stage": "encoder"})
    assert sorted(os.listdir(chief.path)) == before
