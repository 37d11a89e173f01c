"""evaluate.py as a user runs it, and what its scores say of generators that are known to be good or bad."""

import json
import os
import re
import shutil
import subprocess
import types

import numpy as np
import pytest
import tensorflow as tf
from processes import EVALUATE, refused, run

from sgan_tf.datasets import load_dataset
from sgan_tf.evaluation import reference as references
from sgan_tf.evaluation.evaluate import draw_samples, evaluate
from sgan_tf.evaluation.inception import Inception, download
from sgan_tf.evaluation.judge import judged
from sgan_tf.evaluation.protocol import EvaluationError, short

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The folder of the digits' reference."""
    folder = tmp_path_factory.mktemp("cache")
    references.make_reference(folder, load_dataset("digits"), lambda what: lambda blocks: blocks)
    return folder


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def reference(cache, digits):
    return references.load_reference(cache, digits.description())


class Gallery:
    """Shows real training images in place of generated ones: all of a class, or always the same one."""

    def __init__(self, dataset, collapsed=False, wrong_labels=False):
        self.dataset, self.collapsed, self.wrong_labels = dataset, collapsed, wrong_labels
        self.encoder = types.SimpleNamespace(image_shape=dataset.image_shape)
        self.levels = [
            types.SimpleNamespace(
                index=0, discriminator=lambda h, logits: (None, np.full((len(h), 4), 0.5))
            )
        ]

    def noise(self, count, seed):
        return [np.random.default_rng(seed).random((count, 4))]

    def decode(self, labels, noise):
        by_class = [np.flatnonzero(self.dataset.train_labels == c) for c in range(10)]
        labels = labels if not self.wrong_labels else (9301 * np.arange(len(labels))) // 7 % 10
        choice = (
            np.zeros(len(labels), int) if self.collapsed else (noise[0][:, 0] * 100_000).astype(int)
        )
        return self.dataset.train_images[
            [by_class[label][c % len(by_class[label])] for label, c in zip(labels, choice)]
        ] / np.float32(255)

    def features(self, labels, noise, level):
        return self.decode(labels, noise)

    def infer_noise(self, images):
        return types.SimpleNamespace(features=[])


@pytest.fixture(scope="module")
def galleries(digits, reference):
    """`{kind of generator: its scores}` at 3,000 samples."""
    kinds = {"real": {}, "collapsed": {"collapsed": True}, "wrong": {"wrong_labels": True}}
    return {
        kind: evaluate(Gallery(digits, **settings), reference, digits.description(), 3000)[
            "samples"
        ]
        for kind, settings in kinds.items()
    }


def test_the_judge_is_good_and_cached(cache, reference, digits):
    assert reference.judge_accuracy >= 0.97
    logits, features = judged(reference.judge, digits.test_images, batch_size=7)
    np.testing.assert_allclose(logits, reference.test_logits, atol=1e-4)
    np.testing.assert_allclose(features, reference.test_features, atol=1e-4)
    other = {**digits.description(), "crc32": "00000000"}
    assert references.load_reference(cache, other) is None


def test_the_training_set_scored_against_itself(galleries):
    scores = galleries["real"]
    assert scores["fcd3k_train"] < 0.1 and abs(scores["kcd3k"]) < 0.02
    assert (
        scores["precision3k"] > 0.97 and scores["recall3k"] > 0.85
    )  # some images are drawn twice, some never
    assert scores["nn_ratio"] == 0 and scores["sample_accuracy"] > 0.99
    assert (
        scores["class_spread"] == pytest.approx(1, abs=0.05)
        and scores["train_on_fake_accuracy"] > 0.95
    )


def test_a_generator_that_ignores_its_noise_is_called_collapsed_while_its_classifier_score_stays(
    galleries,
):
    collapsed, real = galleries["collapsed"], galleries["real"]
    assert collapsed["conditional_spread_h_0"] < 0.05 < 0.5 < real["conditional_spread_h_0"]
    assert (
        collapsed["class_spread"] < 0.05
        and collapsed["recall3k"] < 0.1
        and collapsed["fcd3k_train"] > 10 * real["fcd3k_train"]
    )
    assert all(collapsed[f"ms_ssim_{c}"] > 0.99 > real[f"ms_ssim_{c}"] for c in range(10))
    assert collapsed["cs3k_10x300"] == pytest.approx(real["cs3k_10x300"], rel=0.05)


def test_wrong_labels_give_chance(galleries):
    assert galleries["wrong"]["sample_accuracy"] == pytest.approx(0.1, abs=0.03)
    assert galleries["wrong"]["cs3k_10x300"] == pytest.approx(
        galleries["real"]["cs3k_10x300"], rel=0.1
    )


def test_names_state_the_number_of_samples():
    assert [short(n) for n in (50_000, 5000, 1234, 500)] == ["50k", "5k", "1234", "500"]


def test_samples_do_not_depend_on_the_block(digits, monkeypatch):
    stack = Gallery(digits)
    images, labels = draw_samples(stack, digits.train_labels, 90, seed=3)
    monkeypatch.setattr("sgan_tf.evaluation.evaluate.BLOCK", 13)
    again, _ = draw_samples(stack, digits.train_labels, 90, seed=3)
    np.testing.assert_array_equal(images, again)
    assert images.dtype == np.uint8 and abs(np.bincount(labels, minlength=10) - 9).max() < 12


@pytest.fixture(scope="module")
def evaluated(finished, cache, tmp_path_factory):
    """A copy of the finished run, evaluated; `(run folder, stdout)`."""
    run_dir = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(finished[0], run_dir)
    out, _ = run(EVALUATE, ["--run_dir", run_dir, "--samples", "500", "--cache_dir", cache])
    return run_dir, out


def test_the_program_writes_a_table_and_a_report(evaluated):
    run_dir, out = evaluated
    facts = json.loads((run_dir / "evaluation" / "metrics.json").read_text())
    names = {
        "cs500_10x50",
        "cs500_10x50_std",
        "fcd500_train",
        "fcd500_test",
        "kcd500",
        "precision500",
        "recall500",
        "sample_accuracy",
        "train_on_fake_accuracy",
        *(f"ms_ssim_{c}" for c in range(10)),
        "class_spread",
        "spread_h_0",
        "conditional_spread_h_0",
        "noise_recovery_0",
        "spread_h_1",
        "conditional_spread_h_1",
        "noise_recovery_1",
        "nn_ratio",
    }
    assert set(facts["samples"]) == names and all(np.isfinite(v) for v in facts["samples"].values())
    assert facts["real"]["sample_accuracy"] == facts["judge"]["test_accuracy"] >= 0.97
    assert facts["real"]["fcd500_test"] == pytest.approx(0, abs=1e-6) and facts["warnings"] == []
    assert all(name in out for name in names)
    page = (run_dir / "evaluation" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 5 and "nearest training image" in page
    assert not re.search(r'(src|href)="(?!data:)', page)  # self-contained


def test_the_export_carries_the_scores(evaluated, tmp_path):
    from processes import EXPORT

    run(EXPORT, ["--run_dir", evaluated[0], "--export_dir", tmp_path])
    assert "cs500_10x50" in (tmp_path / "run" / "1" / "assets" / "README.md").read_text()


def test_an_unfinished_run_is_measured_as_it_is_and_says_so(evaluated, cache, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(evaluated[0], run_dir)
    (run_dir / "checkpoints" / "joint.safetensors").unlink()
    out, _ = run(
        EVALUATE,
        [
            "--run_dir",
            run_dir,
            "--samples",
            "100",
            "--cache_dir",
            cache,
            "--without_entropy",
            evaluated[0],
        ],
    )
    assert "joint (step 0) is not finished; it was measured as it is" in out
    page = (run_dir / "evaluation" / "report.html").read_text()
    assert "joint (step 0) is not finished" in page and "without the entropy loss" in page


def _write_inception(path, pool=2048):
    """A small SavedModel of the signature of TF-GAN's Inception module."""

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(tf.random.stateless_normal([27, pool], [1, 2]))
            self.head = tf.Variable(tf.random.stateless_normal([pool, 1008], [3, 4], stddev=0.1))

        @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3])])
        def __call__(self, images):
            tf.debugging.assert_greater_equal(images, -1.0)
            tf.debugging.assert_less_equal(images, 1.0)
            small = tf.reshape(tf.image.resize(images, (3, 3), antialias=True), [-1, 27])
            features = tf.nn.relu(small @ self.kernel)
            return {"logits": features @ self.head, "pool_3": features[:, None, None, :]}

    tf.saved_model.save(Module(), str(path))


def test_the_published_scale(evaluated, cache, digits, tmp_path):
    _write_inception(tmp_path / "inception")
    logits, pool = Inception(tmp_path / "inception")(
        [digits.test_images[:7], digits.test_images[7:9]]
    )
    assert logits.shape == (9, 1008) and pool.shape == (9, 2048)
    run_dir = tmp_path / "run"
    shutil.copytree(evaluated[0], run_dir)
    out, _ = run(
        EVALUATE,
        [
            "--run_dir",
            run_dir,
            "--samples",
            "200",
            "--cache_dir",
            cache,
            "--inception",
            tmp_path / "inception",
        ],
    )
    facts = json.loads((run_dir / "evaluation" / "metrics.json").read_text())
    for scores in (facts["samples"], facts["real"]):
        assert scores["is200_10x20"] >= 1 and scores["fid200_train"] >= 0
    assert (
        facts["samples"]["fid200_train"] > facts["real"]["fid200_train"]
    )  # two epochs are no match for real digits
    assert "is200_10x20" in out and "cs200_10x20" in out


def test_what_cannot_be_evaluated(evaluated, cache, tmp_path):
    run_dir, _ = evaluated
    arguments = ["--run_dir", run_dir, "--cache_dir", cache]
    before = (run_dir / "evaluation" / "metrics.json").read_bytes()
    assert "--samples: 9 are too few for 10 classes" in refused(
        EVALUATE, [*arguments, "--samples", "9"]
    )
    assert "is not a run of sgan_tf" in refused(EVALUATE, ["--run_dir", tmp_path])
    untrained = tmp_path / "untrained"
    shutil.copytree(run_dir, untrained)
    (untrained / "checkpoints" / "level1.safetensors").unlink()
    assert "is not trained: level1 is not finished" in refused(EVALUATE, ["--run_dir", untrained])
    assert "is not TF-GAN's Inception module" in refused(
        EVALUATE, [*arguments, "--inception", tmp_path]
    )
    _write_inception(tmp_path / "other", pool=100)
    assert "pool_3 has 100 columns, not 2048" in refused(
        EVALUATE, [*arguments, "--inception", tmp_path / "other"]
    )
    assert (run_dir / "evaluation" / "metrics.json").read_bytes() == before


def test_a_network_without_inception_is_one_line(tmp_path):
    with pytest.raises(EvaluationError, match="--inception download: cannot fetch"):
        download(tmp_path, url="http://localhost:9/module")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_cache_is_made_anew(cache, digits, tmp_path):
    path = references.reference_path(cache, digits.description())
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes()[:100_000])
    assert references.load_reference(tmp_path, digits.description()) is None


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(evaluated, cache, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    size = sum(f.stat().st_size for f in evaluated[0].rglob("*") if f.is_file())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size + 40_000}", "tmpfs", disk],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        shutil.copytree(
            evaluated[0], disk / "run", ignore=shutil.ignore_patterns("evaluation", "tensorboard")
        )
        free = os.statvfs(disk)
        (disk / "filler").write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - 20_000))
        err = refused(
            EVALUATE, ["--run_dir", disk / "run", "--samples", "100", "--cache_dir", cache]
        )
        assert (
            "metrics.json: No space left on device" in err
            or "report.html: No space left on device" in err
        )
        left = [p.name for p in (disk / "run" / "evaluation").iterdir()]
        assert left in ([], ["metrics.json"]) and all(
            json.loads((disk / "run" / "evaluation" / name).read_text()) for name in left
        )
    finally:
        subprocess.run(["umount", disk], check=True)
