"""Runs without labels by commands: trained, sampled, exported, and judged by what there is."""

import json

import numpy as np
import pytest
from processes import EVALUATE, EXPORT, TRAIN, module, run

import sgan_tf
from sgan_tf.data.datasets import ImageDataset
from sgan_tf.evaluation.evaluate import evaluate
from sgan_tf.evaluation.metrics import descriptions
from sgan_tf.evaluation.reference import load_reference, make_reference
from sgan_tf.models.build import build

SMALL = ["--epochs", "1", "--sample_every", "0"]
NEEDS_LABELS = ("sample_accuracy", "train_on_fake_accuracy", "fcd100_class", "recall100_class")


def by_commands(folder, labels, cache):
    """Trains, samples, exports and evaluates; returns what was printed of each."""
    run_dir, exports = folder / "run", folder / "exports"
    told = [run(TRAIN, ["--labels", labels, *SMALL, "--run_dir", run_dir])[0]]
    samples = ["--count", "7", "--seed", "1", "--out", folder / "samples.npz"]
    told.append(run(module("sample"), ["--run_dir", run_dir, *samples])[0])
    told.append(run(EXPORT, ["--run_dir", run_dir, "--export_dir", exports])[0])
    judged = ["--run_dir", run_dir, "--samples", "100", "--cache_dir", cache]
    told.append(run(EVALUATE, judged)[0])
    facts = json.loads((run_dir / "evaluation" / "metrics.json").read_text())
    return told, facts, exports / "run" / "1"


@pytest.mark.slow
def test_a_stack_without_labels(tmp_path, cache):
    (trained, _, _, told), facts, export = by_commands(tmp_path, "none", cache)
    assert "encoder: 1 epochs" in trained and "near chance" not in trained
    assert "judge: test accuracy 0.9" in told  # the judge of the labelled digits
    scores, real = facts["samples"], facts["real"]
    assert {"fcd100_train", "precision100", "recall100", "cs100_10x10"} <= scores.keys()
    assert not {n for n in (*scores, *real) if n in NEEDS_LABELS or "class" in n or "ssim" in n}
    assert facts["class_counts"] == [1497]
    stack, exported = sgan_tf.load(tmp_path / "run"), sgan_tf.load(export)
    with np.load(tmp_path / "samples.npz") as file:
        expected = np.round(255 * stack.sample(count=7, seed=1))
        assert np.abs(file["images"] - expected).max() <= 1 and not file["labels"].any()
    assert exported.sample(count=3, seed=2).shape == (3, 8, 8, 1)
    assert "An unconditional sampler" in (export / "assets" / "README.md").read_text()
    sgan_tf.save(stack, tmp_path / "saved")
    card = (tmp_path / "saved" / "README.md").read_text()
    assert "stack.sample(count=2, seed=1)" in card and "without labels, by vicreg." in card
    again = sgan_tf.load(tmp_path / "saved")
    assert np.abs(again.sample(count=2, seed=3) - stack.sample(count=2, seed=3)).max() < 0.1


@pytest.mark.slow
def test_a_stack_on_clusters(tmp_path, cache):
    (trained, *_), facts, export = by_commands(tmp_path, "clusters:10", cache)
    assert "encoder: purity 0." in trained
    scores, known = facts["samples"], json.loads((tmp_path / "run/encoder.json").read_text())
    assert not set(NEEDS_LABELS) & scores.keys()
    for found in (scores, facts["real"]):
        assert 0.1 <= found["cluster_purity"] <= 1 and 0 <= found["visible_clusters"] <= 1
        assert "class_spread" in found and "ms_ssim_cluster 3" in found
    assert facts["class_counts"] == known["class_counts"] and sum(known["class_counts"]) == 1497
    with np.load(tmp_path / "samples.npz") as file:
        assert file["labels"].tolist() == list(range(7))
    names = (export / "assets" / "class_names.txt").read_text().splitlines()
    assert names == [f"cluster {k}" for k in range(10)]
    assert sgan_tf.load(tmp_path / "run").class_names == names


@pytest.mark.slow
def test_images_of_no_class_are_judged_without(digits, tmp_path):
    """Names of scores say it, and the judge is cached as any."""
    labels = [np.zeros(n, np.int32) for n in (80, 60)]
    data = ImageDataset(
        "folder", ["image"], digits.train_images[:80], labels[0], digits.test_images[:60], labels[1]
    )
    made = make_reference(tmp_path, data)
    reference = load_reference(tmp_path, data.description())
    np.testing.assert_allclose(reference.test_features, made.test_features)
    assert not reference.labelled and reference.test_features.std(0).max() > 0.01
    unlabelled = data.labelled("none")
    _, stack = build(sgan_tf.make_config("digits", labels="none"), (8, 8, 1), ["image"])
    scores = evaluate(
        stack, reference, unlabelled.description(), 60, train_labels=unlabelled.train_labels
    )
    expected = ("fcd60_train", "fcd60_test", "kcd60", "precision60", "recall60", "nn_ratio")
    named = {score.name: score for score in scores.samples}
    assert {f"{name}_by_views" for name in expected} <= named.keys()
    assert not [name for name in named if name in expected or name.startswith("cs")]
    distance, recall = named["fcd60_train_by_views"], named["recall60_by_views"]
    assert "trained without labels" in descriptions()["fcd_train"].meaning(distance)
    assert descriptions()["recall"].label(recall) == "recallN_by_views"
