"""The model card, from the metadata of an export that version 0.1.0 wrote."""

import json

import pytest
from processes import ROOT

import sgan_tf
from sgan_tf.runs.resume import read_config
from sgan_tf.saving.card import metadata, model_card
from sgan_tf.saving.serving_module import ServingModule

OLD = ROOT / "tests" / "fixtures" / "v0.1.0"
EXPORT = OLD / "export"


@pytest.fixture
def facts():
    return json.loads((EXPORT / "assets" / "metadata.json").read_text())


def _words(card):
    """All but where lines break and how the rules of tables are drawn."""
    return [word for word in card.split() if set(word) - set("|-")]


def test_a_card_says_what_an_earlier_versions_card_said(facts):
    old = (EXPORT / "assets" / "README.md").read_text()
    assert _words(model_card(facts)) == _words(old.replace("a row a class", "one row per class"))


@pytest.mark.parametrize(
    "dataset, about",
    [
        ("svhn", "Cropped digits of house numbers"),
        ("svhn", "Licence of the data: non-commercial use only, by its authors' terms."),
        ("seeds of mine", "Images; 1,497 images were trained on, 300 kept for testing."),
        ("seeds of mine", "Licence of the data: as the owner of the images says."),
    ],
)
def test_a_card_says_what_the_images_are(facts, dataset, about):
    facts["config"]["dataset"] = dataset
    assert about in " ".join(model_card(facts).split())


def test_a_card_lists_the_scores_of_an_evaluation_where_there_is_one(facts):
    assert "Scores of its samples" not in model_card(facts)
    facts["metrics"]["evaluation"] = {"samples": {"fid10k_test": 12.3456}}
    assert "| `fid10k_test` | 12.35 |" in model_card(facts)


def _metadata(format):
    stack = sgan_tf.load(OLD / "run")
    sampler = ServingModule(stack, stack.class_names)
    return metadata(OLD / "run", read_config(OLD / "run"), "digits", 1, format, sampler)


def test_without_git_a_card_names_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    facts = _metadata("savedmodel")
    assert facts["commit"] is None and "(commit" not in model_card(facts)


@pytest.mark.parametrize(
    "format, others",
    [
        ("savedmodel", "Other labels, and noise that is not finite, are refused."),
        ("onnx", "negative ones count from the last class; noise is not checked."),
        ("litert", "Other labels are an error of the runtime; noise is not checked."),
    ],
)
def test_a_card_says_what_inputs_may_be(format, others):
    card = model_card(_metadata(format))
    limits = "Labels are integers in [0, 10), in the order of the classes; noise (z0, z1, …) is"
    assert f"{limits} uniform on [0, 1). " in card and others in card


def test_a_card_says_that_training_was_not_finished(facts):
    assert "not finished" not in model_card({**facts, "unfinished": []})
    card = model_card({**facts, "unfinished": ["level1 (step 30)", "joint (step 0)"]})
    assert "**Its training was not finished.**" in card
    assert "level1 (step 30), joint (step 0)" in card
