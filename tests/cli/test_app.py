"""Flags and their help, as a user meets them: each program in a process of its own."""

import os
import pathlib

import pytest
from processes import EXPORT, TRAIN, finish, module, run, script, start

from sgan_tf.config.presets import PRESETS
from sgan_tf.data.datasets import DATASETS

PROGRAMS = (
    *("train", "evaluate", "export", "figures", "ablations", "client", "sample", "inspection"),
    *("serve", "turing", "demo"),
)
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_is_the_docstring_and_the_own_flags_without_tensorflow(name):
    program = script(f"{NO_TENSORFLOW}from sgan_tf.cli.{name} import main; main()")
    out, err = run(program, ["--help"])
    source = (pathlib.Path("sgan_tf/cli") / f"{name}.py").read_text()
    assert out.splitlines()[0] == source.splitlines()[0].removeprefix('"""') and err == ""
    assert "  --" in out and "(default: " in out and "--run_with_pdb" not in out
    assert max(map(len, out.splitlines())) <= 100
    assert finish(start(module(name), ["-h"])) == (out, "")


@pytest.mark.slow
def test_help_names_presets_data_sets_defaults_and_what_is_required():
    out, _ = run(TRAIN, ["--help"])
    words = set(out.replace(",", " ").replace(";", " ").split())
    assert words >= {*PRESETS, *DATASETS, "--sample_every", "--[no]overwrite"}
    assert "epochs between two sample grids (default: 5)" in out
    out, _ = run(EXPORT, ["--help"])
    assert "a finished run folder (required)" in out and "(default: savedmodel)" in out


def test_help_of_training_names_every_flag_once_under_a_heading():
    out, _ = run(TRAIN, ["--help"])
    lines = out.split("\n\n", 1)[1].splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    groups = ["images", "networks and settings", "a classifier of one's own", "run", "machine"]
    assert headings == [f"{group}:" for group in groups]
    names = [line.split()[0] for line in lines if line.startswith("  --")]
    assert len(names) == len(set(names)) >= 22


def test_list_presets_is_a_table_without_tensorflow():
    program = script(f"{NO_TENSORFLOW}from sgan_tf.cli.train import main; main()")
    out, err = run(program, ["--list_presets"])
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert rows.keys() >= PRESETS.keys() and err == ""
    assert max(map(len, out.splitlines())) <= 100
    assert rows["digits"][1:7] == ["digits", "40", "120", "120", "30", "50"]
    assert rows["mnist-release"][1:7] == ["mnist", "5", "0", "0", "200", "100"]


def test_a_tilde_is_the_home_in_every_path(tmp_path):
    text = """
from absl import flags
from sgan_tf.cli import app
for name in app.PATHS:
    flags.DEFINE_string(name, None, "")
app.run(lambda: print(*(flags.FLAGS[name].value for name in app.PATHS)))
"""
    names = (
        *("run_dir", "data_dir", "export_dir", "config", "cache_dir", "out", "inception"),
        *("without_entropy", "encoder_from", "encoder", "encoder_weights", "model", "export"),
        *("csv", "votes"),
    )
    arguments = [f"--{name}=~/{name}" for name in names]
    out, _ = finish(start(script(text), arguments, {"HOME": str(tmp_path)}))
    assert sorted(out.split()) == sorted(str(tmp_path / name) for name in names)
    process = start(module("figures"), ["--run_dir=~/a"], {"HOME": str(tmp_path)})
    assert os.path.join(tmp_path, "a") in finish(process, code=2)[1]
