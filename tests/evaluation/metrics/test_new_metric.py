"""A metric is one file: what is put into the folder is found, measured and shown."""

import sys
import textwrap
import types

import pytest
from gallery import Gallery

from sgan_tf.evaluation import metrics
from sgan_tf.evaluation.ablations import summarize
from sgan_tf.evaluation.evaluate import evaluate
from sgan_tf.evaluation.judge import build_judge, judged
from sgan_tf.evaluation.reference import Reference
from sgan_tf.evaluation.report import html, table
from sgan_tf.evaluation.scores import Description, Score, to_json


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder whose modules are found as if they stood in that of the metrics."""
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(tmp_path)])
    yield tmp_path
    for path in tmp_path.glob("*.py"):
        del sys.modules[f"{metrics.__name__}.{path.stem}"]
        delattr(metrics, path.stem)


@pytest.fixture(scope="module")
def untrained(digits):
    """A `Reference` whose judge has learned nothing."""
    judge = build_judge(digits.image_shape, 10, width=0.1)
    _, train_features = judged(judge, digits.train_images)
    logits, features = judged(judge, digits.test_images)
    return Reference(
        judge,
        0.1,
        train_features,
        digits.train_labels,
        digits.test_images,
        digits.test_labels,
        logits,
        features,
        0.1,
    )


def test_the_metric_that_the_documentation_shows(folder, digits, untrained):
    indented = [line for line in metrics.__doc__.splitlines() if line.startswith("    ")]
    (folder / "brightness.py").write_text(textwrap.dedent("\n".join(indented)))
    evaluation = evaluate(Gallery(digits), untrained, digits.description(), samples=50)
    scores = {"samples": to_json(evaluation.samples), "real": to_json(evaluation.real)}
    assert list(scores["samples"])[-1] == "brightness"  # by its ORDER
    assert scores["real"]["brightness"] == pytest.approx(digits.test_images.mean() / 255)
    assert scores["samples"]["brightness"] == pytest.approx(scores["real"]["brightness"], abs=0.05)
    facts = {
        "run": "runs/digits",
        "settings": {"samples": 50, "seed": 0},
        "data": digits.description(),
        "warnings": [],
        "judge": {"test_accuracy": 0.1},
        "versions": {},
        "config": {},
        **scores,
    }
    line = next(line for line in table(facts).splitlines() if line.startswith("brightness"))
    assert line.split() == ["brightness", *(f"{scores[k]['brightness']:.4g}" for k in scores)]
    page = html(facts, {})
    assert "<code>brightness</code>" in page and "mean of all pixels" in page


def test_metrics_are_found_in_their_order(folder):
    (folder / "late.py").write_text("ORDER, SCORES = 15, {}")
    (folder / "early.py").write_text("ORDER, SCORES = 5, {}")
    names = [module.__name__.split(".")[-1] for module in metrics.found()]
    assert names.index("early") < names.index("classifier_score") < names.index("late")
    assert names.index("late") < names.index("frechet")


def module(name, *scores):
    """A metric that describes the score x and measures these."""
    return types.SimpleNamespace(
        __name__=name, SCORES={"x": Description("what x says")}, measure=lambda view: scores
    )


def test_two_metrics_of_one_score(monkeypatch):
    modules = [module(name, Score("x", 1.0)) for name in ("first", "second")]
    monkeypatch.setattr(metrics, "found", lambda: modules)
    with pytest.raises(ValueError, match="second measures 'x', which another metric has"):
        metrics.measure(None)


def test_a_score_without_a_description(monkeypatch):
    monkeypatch.setattr(metrics, "found", lambda: [module("mine", Score("y", 1.0, 50_000))])
    with pytest.raises(ValueError, match="mine measures 'y50k', which it does not describe"):
        metrics.measure(None)


def test_the_columns_of_the_ablations_are_not_disturbed():
    scores = {
        "cs50k_10x5k": 9.0,
        "cs50k_10x5k_std": 0.1,
        "fcd50k_train": 2.0,
        "fcd50k_test": 3.0,
        "precision50k": 0.5,
        "recall50k": 0.4,
        "sample_accuracy": 0.9,
        "class_spread": 1.0,
        "ms_ssim_cat": 0.2,
        "ms_ssim_dog": 0.4,
    }
    more = {"cs_of_another_kind": 1.0, "precision_of_colour": 1.0, "recall5k_imagenet": 1.0}
    plain, full = (
        summarize({"row": [{"samples": both, "real": both}]}) for both in (scores, scores | more)
    )
    assert plain == full
    assert [mean for mean, _ in plain["row"].values()] == pytest.approx(
        [9.0, 2.0, 0.5, 0.4, 0.9, 1.0, 0.3]
    )
