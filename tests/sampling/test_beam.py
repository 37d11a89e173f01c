"""Samples drawn by Apache Beam are those of `sgan-sample`, whatever workers draw them."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT, finish, module, run, start

pytest.importorskip("apache_beam", reason="the extra [beam] is not installed")

BEAM = [sys.executable, "-m", "sgan_tf.sampling.beam"]
SAMPLES = ["--model", "digits", "--count", "1003", "--seed", "3"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The arrays that `sgan-sample` writes."""
    path = tmp_path_factory.mktemp("whole") / "samples.npz"
    run(module("sample"), [*SAMPLES, "--out", path])
    return np.load(path)


def parse(record):
    features = tf.train.Example.FromString(record).features.feature
    image = tf.io.decode_png(features["image"].bytes_list.value[0]).numpy()
    return features["number"].int64_list.value[0], image, features["label"].int64_list.value[0]


@pytest.mark.slow
def test_two_processes_draw_the_same_images(whole, tmp_path):
    workers = ["--direct_num_workers", "2", "--direct_running_mode", "multi_processing"]
    finish(start(BEAM, [*SAMPLES, "--format", "npz", "--out", tmp_path / "out", *workers]))
    parts = [np.load(path) for path in sorted((tmp_path / "out").glob("samples-*.npz"))]
    order = np.argsort(np.concatenate([part["numbers"] for part in parts]))
    assert len(order) == 1003
    for name in ("images", "labels"):
        joined = np.concatenate([part[name] for part in parts])[order]
        assert joined.tobytes() == whole[name].tobytes()


def test_records_hold_the_same_images(whole, tmp_path):
    from sgan_tf.sampling import beam

    beam.main([*SAMPLES, "--format", "tfrecord", "--out", str(tmp_path)])
    paths = [str(path) for path in tmp_path.glob("samples-*.tfrecord")]
    rows = sorted(
        map(parse, tf.data.TFRecordDataset(paths).as_numpy_iterator()), key=lambda r: r[0]
    )
    assert [number for number, _, _ in rows] == list(range(1003))
    np.testing.assert_array_equal([image for _, image, _ in rows], whole["images"])
    np.testing.assert_array_equal([label for _, _, label in rows], whole["labels"])


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--model", "nothing"], "--model: nothing is neither a folder nor"),
        (["--count", "0"], "--count: expected at least 1"),
        (["--format", "gif"], "invalid choice"),
        (["--out", str(ROOT / "tests" / "fixtures" / "v0.1.0")], "holds samples already"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(flags, says, tmp_path, capsys):
    from sgan_tf.sampling import beam

    with pytest.raises(SystemExit) as stop:
        beam.main([*SAMPLES, "--out", str(tmp_path), *flags])
    assert stop.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert says in line
    assert not list(tmp_path.iterdir())
