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

from sgan_tf.config.presets import make_config
from sgan_tf.evaluation import metrics
from sgan_tf.evaluation.evaluate import draw_samples, evaluate, evaluate_run, judge_warnings
from sgan_tf.evaluation.scores import Evaluation, Score, to_json
from sgan_tf.runs.run import Run


@pytest.fixture(scope="module")
def galleries(digits, reference):
    """`{kind of generator: its scores}` at 1,000 samples."""
    kinds = {"real": {}, "collapsed": {"collapsed": True}, "wrong": {"wrong_labels": True}}
    return {
        kind: to_json(
            evaluate(Gallery(digits, **settings), reference, digits.description(), 1000).samples
        )
        for kind, settings in kinds.items()
    }


@pytest.mark.slow
def test_the_training_set_scored_against_itself(galleries):
    scores = galleries["real"]
    assert scores["fcd1k_train"] < 0.3 and abs(scores["kcd1k"]) < 0.02
    # Some images are drawn twice, some never.
    assert scores["precision1k"] > 0.95 and scores["recall1k"] > 0.8
    assert scores["nn_ratio"] == 0 and scores["sample_accuracy"] > 0.99
    assert scores["class_spread"] == pytest.approx(1, abs=0.05)
    assert scores["train_on_fake_accuracy"] > 0.9


@pytest.mark.slow
def test_a_generator_that_ignores_its_noise_is_called_collapsed_while_its_classifier_score_stays(
    galleries,
):
    collapsed, real = galleries["collapsed"], galleries["real"]
    assert collapsed["conditional_spread_h_0"] < 0.05 < 0.5 < real["conditional_spread_h_0"]
    assert collapsed["recall1k_class"] < 0.2 < 0.7 < real["recall1k_class"]
    assert collapsed["fcd1k_class"] > 2 * real["fcd1k_class"]
    assert collapsed["class_spread"] < 0.05 and collapsed["recall1k"] < 0.1
    assert collapsed["fcd1k_train"] > 10 * real["fcd1k_train"]
    assert all(collapsed[f"ms_ssim_{c}"] > 0.99 > real[f"ms_ssim_{c}"] for c in range(10))
    assert collapsed["cs1k_10x100"] == pytest.approx(real["cs1k_10x100"], rel=0.05)


@pytest.mark.slow
def test_wrong_labels_give_chance(galleries):
    wrong, real = galleries["wrong"], galleries["real"]
    assert wrong["sample_accuracy"] == pytest.approx(0.1, abs=0.03)
    assert wrong["cs1k_10x100"] == pytest.approx(real["cs1k_10x100"], rel=0.1)


def test_samples_do_not_depend_on_the_block(digits, monkeypatch):
    stack = Gallery(digits)
    images, labels = draw_samples(stack, digits.train_labels, 90, seed=3)
    monkeypatch.setattr("sgan_tf.evaluation.evaluate.BLOCK", 13)
    again, _ = draw_samples(stack, digits.train_labels, 90, seed=3)
    np.testing.assert_array_equal(images, again)
    assert images.dtype == np.uint8 and abs(np.bincount(labels, minlength=10) - 9).max() < 12


def test_a_judge_under_its_floor_and_a_collapsed_level_are_warned_of(digits, tmp_path, monkeypatch):
    scores = Evaluation([Score("conditional_spread_h", 0.6, level=0)], [])
    monkeypatch.setattr("sgan_tf.evaluation.evaluate.evaluate", lambda *args: scores)
    run = Run.open(tmp_path / "run", make_config("digits"))
    run.record("data.json", digits.description())
    monkeypatch.setattr(run, "unfinished", lambda config: [])
    for accuracy, warned in ((0.96, True), (0.98, False)):
        reference = types.SimpleNamespace(judge_accuracy=accuracy, train_labels=digits.train_labels)
        facts = evaluate_run(run, make_config("digits"), None, reference)
        assert (facts["warnings"] != []) == warned
        assert (
            not warned or "the judge's test accuracy 0.9600 is under 0.97" in facts["warnings"][0]
        )
    scores.samples[0] = Score("conditional_spread_h", 1e-6, level=0)
    (line,) = evaluate_run(run, make_config("digits"), None, reference)["warnings"]
    assert line.startswith("level 0 has collapsed: conditional_spread_h_0 is 1e-06, under 0.05")
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
    assert facts["settings"] == {"samples": 500, "seed": 0, "precision": "float32"}
    assert "samples: computed in float32\n" in out
    names = [
        "cs500_10x50",
        "cs500_10x50_std",
        "fcd500_train",
        "fcd500_test",
        *(f"class_images_{c}" for c in range(10)),
        "fcd500_class",
        *(f"fcd500_class_{c}" for c in range(10)),
        "kcd500",
        "precision500",
        "recall500",
        "precision500_class",
        *(f"precision500_class_{c}" for c in range(10)),
        "recall500_class",
        *(f"recall500_class_{c}" for c in range(10)),
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
    described = metrics.descriptions()
    having = [s.name for s in metrics.read(facts["samples"]) if described[s.key].real]
    assert list(facts["real"]) == having
    for name in ("class_spread", "spread_h_0", "spread_h_1", "nn_ratio"):
        assert facts["real"][name] == 1
    assert facts["real"]["sample_accuracy"] == facts["judge"]["test_accuracy"] > 0.95
    assert facts["real"]["train_on_fake_accuracy"] > 0.85  # of a classifier of real images
    assert facts["real"]["fcd500_test"] == pytest.approx(0, abs=1e-6)
    assert facts["warnings"] == judge_warnings(facts["judge"]["test_accuracy"], 10, 0.97)
    # Few images of a class bias samples and real test images alike.
    for c in range(10):
        assert facts["samples"][f"class_images_{c}"] == facts["real"][f"class_images_{c}"] > 20
        assert 0 < facts["real"][f"fcd500_class_{c}"] < facts["samples"][f"fcd500_class_{c}"]
    lines = [line.split() for line in out.splitlines()]
    of_classes = tuple(f"{score}_" for score in ("class_images", "ms_ssim")) + tuple(
        f"{score}500_class" for score in ("fcd", "precision", "recall")
    )
    for name in names:
        if not name.startswith(of_classes):
            assert [name, f"{facts['samples'][name]:.4g}"] in [line[:2] for line in lines]
    start = next(i for i, line in enumerate(lines) if line[:1] == ["mean"])
    heads = ["class_images", "fcd_class", "precision_class", "recall_class", "ms_ssim"]
    assert lines[start - 1][-5:] == heads
    for c, line in enumerate(lines[start + 1 : start + 11]):
        for kind, numbers in (("samples", line[1::2]), ("real", line[2::2])):
            values = [facts[kind][f"{score}_{c}"] for score in (
                "class_images", "fcd500_class", "precision500_class", "recall500_class", "ms_ssim"
            )]  # fmt: skip
            assert [n.strip("()") for n in numbers] == [f"{value:.4g}" for value in values]
    page = (run_dir / "evaluation" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4 and "nearest training image" in page
    assert page.count("<svg") == 4  # a drawing a stage
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # self-contained


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


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(digits, tmp_path):
    run = Run.open(tmp_path / "run", make_config("digits"))  # untrained: it is not looked at
    run.record("data.json", digits.description())
    run.close()
    (tmp_path / "file").write_text("not a folder")
    arguments = ["--run_dir", tmp_path / "run", "--out", tmp_path / "file" / "scores"]
    err = refused(EVALUATE, arguments)
    assert err.startswith(f"error: --out: cannot write to {tmp_path}/file/scores: Not a directory")
    (tmp_path / "run" / "evaluation").write_text("a file where a folder should be")
    err = refused(EVALUATE, ["--run_dir", tmp_path / "run"])
    assert "/run/evaluation: File exists" in err


@pytest.mark.slow
def test_scores_are_printed_when_the_report_cannot_be_written(evaluated, cache, tmp_path):
    out = tmp_path / "scores"
    (out / "report.html").mkdir(parents=True)
    before = (evaluated[0] / "evaluation" / "metrics.json").read_bytes()
    arguments = ["--run_dir", evaluated[0], "--samples", "100", "--cache_dir", cache]
    printed, err = run(EVALUATE, [*arguments, "--out", out], code=2)
    assert err.startswith(f"error: {out}/report.html: ") and len(err.strip().splitlines()) == 1
    facts = json.loads((out / "metrics.json").read_text())
    assert f"cs100_10x10 {facts['samples']['cs100_10x10']:.4g}" in re.sub(" +", " ", printed)
    assert (evaluated[0] / "evaluation" / "metrics.json").read_bytes() == before


@pytest.mark.slow
def test_scores_are_saved_when_they_cannot_be_printed(evaluated, cache, tmp_path):
    arguments = ["--run_dir", evaluated[0], "--samples", "100", "--cache_dir", cache]
    arguments += ["--out", tmp_path]
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [*EVALUATE, *map(str, arguments)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    assert process.returncode != 0 and "No space left on device" in process.stderr
    facts = json.loads((tmp_path / "metrics.json").read_text())
    assert facts["samples"].keys() > {"cs100_10x10", "nn_ratio"}


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
