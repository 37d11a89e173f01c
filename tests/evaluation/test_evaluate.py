"""evaluate.py as a user runs it, and what scores say of generators known to be good or bad."""

import json
import os
import re
import shutil
import subprocess
import types

import numpy as np
import pytest
from gallery import Gallery
from processes import EVALUATE, EXPORT, refused, run

from sgan_tf.evaluation.evaluate import draw_samples, evaluate, evaluate_run, judge_warnings
from sgan_tf.presets import make_config
from sgan_tf.run import Run


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


@pytest.mark.slow
def test_the_training_set_scored_against_itself(galleries):
    scores = galleries["real"]
    assert scores["fcd3k_train"] < 0.1 and abs(scores["kcd3k"]) < 0.02
    # Some images are drawn twice, some never.
    assert scores["precision3k"] > 0.97 and scores["recall3k"] > 0.85
    assert scores["nn_ratio"] == 0 and scores["sample_accuracy"] > 0.99
    assert scores["class_spread"] == pytest.approx(1, abs=0.05)
    assert scores["train_on_fake_accuracy"] > 0.95


@pytest.mark.slow
def test_a_generator_that_ignores_its_noise_is_called_collapsed_while_its_classifier_score_stays(
    galleries,
):
    collapsed, real = galleries["collapsed"], galleries["real"]
    assert collapsed["conditional_spread_h_0"] < 0.05 < 0.5 < real["conditional_spread_h_0"]
    assert collapsed["class_spread"] < 0.05 and collapsed["recall3k"] < 0.1
    assert collapsed["fcd3k_train"] > 10 * real["fcd3k_train"]
    assert all(collapsed[f"ms_ssim_{c}"] > 0.99 > real[f"ms_ssim_{c}"] for c in range(10))
    assert collapsed["cs3k_10x300"] == pytest.approx(real["cs3k_10x300"], rel=0.05)


@pytest.mark.slow
def test_wrong_labels_give_chance(galleries):
    wrong, real = galleries["wrong"], galleries["real"]
    assert wrong["sample_accuracy"] == pytest.approx(0.1, abs=0.03)
    assert wrong["cs3k_10x300"] == pytest.approx(real["cs3k_10x300"], rel=0.1)


def test_samples_do_not_depend_on_the_block(digits, monkeypatch):
    stack = Gallery(digits)
    images, labels = draw_samples(stack, digits.train_labels, 90, seed=3)
    monkeypatch.setattr("sgan_tf.evaluation.evaluate.BLOCK", 13)
    again, _ = draw_samples(stack, digits.train_labels, 90, seed=3)
    np.testing.assert_array_equal(images, again)
    assert images.dtype == np.uint8 and abs(np.bincount(labels, minlength=10) - 9).max() < 12


def test_a_judge_under_its_floor_is_warned_of(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sgan_tf.evaluation.evaluate.evaluate", lambda *args: {"samples": {}, "real": {}}
    )
    run = Run.open(tmp_path / "run", make_config("digits"))
    run.record("data.json", digits.description())
    monkeypatch.setattr(run, "unfinished", lambda config: [])
    for accuracy, warned in ((0.96, True), (0.98, False)):
        reference = types.SimpleNamespace(judge_accuracy=accuracy)
        facts = evaluate_run(run, make_config("digits"), None, reference)
        assert (facts["warnings"] != []) == warned
        assert (
            not warned or "the judge's test accuracy 0.9600 is under 0.97" in facts["warnings"][0]
        )
    run.close()


def test_a_judge_near_chance_is_warned_of():
    for accuracy, classes, floor, warned in (
        (0.0, 10, 0.0, "0.0000 is near chance, which is 0.1000"),
        (0.149, 10, 0.97, "is near chance"),
        (0.151, 10, 0.0, None),
        (0.151, 10, 0.97, "is under 0.97"),
        (float("nan"), 10, 0.0, "is near chance"),
        (0.74, 2, 0.0, "is near chance"),
        (0.76, 2, 0.0, None),
        (1.0, 1, 0.0, None),  # of one class, any judge is right
    ):
        lines = judge_warnings(accuracy, classes, floor)
        assert len(lines) == (warned is not None) and all(warned in line for line in lines)


@pytest.mark.slow
def test_the_program_writes_a_table_and_a_report(evaluated):
    run_dir, out = evaluated
    facts = json.loads((run_dir / "evaluation" / "metrics.json").read_text())
    names = [
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
    ]
    assert list(facts["samples"]) == names
    assert all(np.isfinite(value) for value in facts["samples"].values())
    no_real_number = ("conditional_spread_h_", "noise_recovery_")
    assert list(facts["real"]) == [name for name in names if not name.startswith(no_real_number)]
    for name in ("class_spread", "spread_h_0", "spread_h_1", "nn_ratio"):
        assert facts["real"][name] == 1
    assert facts["real"]["sample_accuracy"] == facts["judge"]["test_accuracy"] >= 0.97
    assert facts["real"]["train_on_fake_accuracy"] > 0.9  # of a classifier of real images
    assert facts["real"]["fcd500_test"] == pytest.approx(0, abs=1e-6) and facts["warnings"] == []
    assert all(name in out for name in names)
    page = (run_dir / "evaluation" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 5 and "nearest training image" in page
    assert not re.search(r'(src|href)="(?!data:)', page)  # self-contained


@pytest.mark.slow
def test_the_export_carries_the_scores(evaluated, tmp_path):
    run(EXPORT, ["--run_dir", evaluated[0], "--export_dir", tmp_path])
    assert "cs500_10x50" in (tmp_path / "run" / "1" / "assets" / "README.md").read_text()


@pytest.mark.slow
def test_an_unfinished_run_is_measured_as_it_is_and_says_so(evaluated, cache, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(evaluated[0], run_dir)
    (run_dir / "checkpoints" / "joint.safetensors").unlink()
    arguments = ["--run_dir", run_dir, "--samples", "100", "--cache_dir", cache]
    out, _ = run(EVALUATE, [*arguments, "--without_entropy", evaluated[0]])
    assert "joint (step 0) is not finished; it was measured as it is" in out
    page = (run_dir / "evaluation" / "report.html").read_text()
    assert "joint (step 0) is not finished" in page and "without the entropy loss" in page


@pytest.mark.slow
def test_what_cannot_be_evaluated(evaluated, cache, tmp_path):
    run_dir, _ = evaluated
    arguments = ["--run_dir", run_dir, "--cache_dir", cache]
    before = (run_dir / "evaluation" / "metrics.json").read_bytes()
    few = refused(EVALUATE, [*arguments, "--samples", "9"])
    assert few.startswith("error: --samples: 9 are too few for 10 classes")
    assert "is not a run of sgan_tf" in refused(EVALUATE, ["--run_dir", tmp_path])
    untrained = tmp_path / "untrained"
    shutil.copytree(run_dir, untrained)
    (untrained / "checkpoints" / "level1.safetensors").unlink()
    assert "is not trained: level1 is not finished" in refused(EVALUATE, ["--run_dir", untrained])
    (untrained / "data.json").unlink()
    begun = refused(EVALUATE, ["--run_dir", untrained])
    assert begun.startswith("error: --run_dir: ") and "encoder is not finished" in begun
    assert (run_dir / "evaluation" / "metrics.json").read_bytes() == before


@pytest.mark.slow
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
        ignored = shutil.ignore_patterns("evaluation", "tensorboard")
        shutil.copytree(evaluated[0], disk / "run", ignore=ignored)
        free = os.statvfs(disk)
        (disk / "filler").write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - 20_000))
        arguments = ["--run_dir", disk / "run", "--samples", "100", "--cache_dir", cache]
        err = refused(EVALUATE, arguments)
        assert re.search(r"(metrics\.json|report\.html): No space left on device", err)
        left = [p.name for p in (disk / "run" / "evaluation").iterdir()]
        assert left in ([], ["metrics.json"])
        assert all(json.loads((disk / "run" / "evaluation" / name).read_text()) for name in left)
    finally:
        subprocess.run(["umount", disk], check=True)
