"""sgan-sample, as a user runs it."""

import re
import sys
import types

import numpy as np
import pytest
from PIL import Image
from processes import ROOT, finish, module, refused, run, start

from sgan_tf.cli import sample

OLD = ROOT / "tests" / "fixtures" / "v0.1.0"
SAMPLE = module("sample")
HEAVY = ("matplotlib", "sklearn", "tensorflow_datasets", "tensorflow_gan", "sgan_tf.evaluation")


@pytest.mark.slow
def test_without_a_home_a_picture_of_what_comes_with_the_package(tmp_path):
    arguments = ["--model", "digits", "--label", "3,7", "--count", "20", "--seed", "1"]
    homeless = {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent"}
    out = tmp_path / "digits.png"
    text, err = finish(start(SAMPLE, [*arguments, "--out", out], homeless))
    assert text == f"{out}: 20 images\n" and err == ""
    assert Image.open(out).size[1] // 32 == 2  # a row a label
    assert list(tmp_path.iterdir()) == [out]


def test_a_picture_of_more_than_twenty_labels_is_a_plain_grid(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (30, 32, 32, 3), np.uint8)
    names = [f"class {i}" for i in range(1000)]
    for labels, size in ((np.arange(30), (16 * 33, 2 * 33)), (np.arange(30) % 20, (None, 20 * 33))):
        block = types.SimpleNamespace(images=images, labels=labels)
        sample._write_picture(tmp_path / "a.png", [block], names)
        width, height = Image.open(tmp_path / "a.png").size
        assert height == size[1] and size[0] in (None, width)


@pytest.mark.slow
def test_nothing_is_imported_that_sampling_does_not_need(tmp_path):
    program = f"""
import sys
from absl import app, flags
from sgan_tf.cli import sample
sample.define_flags()
flags.FLAGS(sys.argv)
sample.sample()
print([name for name in {HEAVY} if name in sys.modules])
"""
    arguments = ["--run_dir", OLD / "run", "--count", "7", "--out", tmp_path / "a.npz"]
    out, _ = run([sys.executable, "-c", program], arguments)
    assert out.splitlines()[-1] == "[]"
    with np.load(tmp_path / "a.npz") as file:
        assert file["images"].shape == (7, 8, 8, 1)
        assert file["labels"].tolist() == list(range(7))


def test_shards_by_other_commands_are_the_rows_of_the_whole(tmp_path):
    same = ["--run_dir", OLD / "run", "--labels", "1,5,9", "--count", "250", "--format", "npz"]
    run(SAMPLE, [*same, "--out", tmp_path / "whole"])
    out, _ = run(SAMPLE, [*same, "--out", tmp_path / "parts", "--shard", "1/2"])
    assert out == f"{tmp_path}/parts/samples-00001-of-00002.npz: 125 images\n"
    out, _ = run(SAMPLE, [*same, "--out", tmp_path / "parts", "--shard", "all/2"])
    assert out.splitlines()[1].endswith("00001-of-00002.npz: is there already")
    whole, *parts = (
        np.load(tmp_path / name)["images"]
        for name in (
            "whole/samples-00000-of-00001.npz",
            "parts/samples-00000-of-00002.npz",
            "parts/samples-00001-of-00002.npz",
        )
    )
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_an_export_samples_too(tmp_path):
    run(SAMPLE, ["--export", OLD / "export", "--label", "4", "--out", tmp_path / "a.jpg"])
    assert Image.open(tmp_path / "a.jpg").size[1] // 32 == 4  # 64 images, 16 a row


def test_what_cannot_be_is_refused_before_tensorflow_is_imported(tmp_path):
    text = (
        "import sys; sys.modules['tensorflow'] = None; from sgan_tf.cli.sample import main; main()"
    )
    program = [sys.executable, "-c", text]
    digits = ["--model", "digits"]
    for arguments, says in (
        ([], "--model: one of --model, --run_dir, --export"),
        ([*digits, "--run_dir", OLD / "run"], "--run_dir: --model says what samples already"),
        ([*digits, "--out", tmp_path / "a.doc"], "--out: .*a.doc"),
        ([*digits, "--out", tmp_path / "no" / "a.png"], "there is no folder"),
        ([*digits, "--shard", "0/2"], "--shard.*--format"),
        ([*digits, "--format", "npz", "--shard", "2/2"], "--shard: '2/2'"),
        ([*digits, "--format", "npz", "--count", "3", "--shard", "all/4"], "--shard: 'all/4'"),
    ):
        assert re.search(says, refused(program, arguments))
    assert not list(tmp_path.iterdir())
