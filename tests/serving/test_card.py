"""The model card, from the metadata of an export that version 0.1.0 wrote."""

import json

import pytest
from processes import ROOT

from sgan_tf.serving.card import model_card

EXPORT = ROOT / "tests" / "data" / "v0.1.0" / "export"


@pytest.fixture
def facts():
    return json.loads((EXPORT / "assets" / "metadata.json").read_text())


def _words(card):
    """All but where lines break and how the rules of tables are drawn."""
    return [word for word in card.split() if set(word) - set("|-")]


def test_a_card_says_what_an_earlier_versions_card_said(facts):
    old = (EXPORT / "assets" / "README.md").read_text()
    assert _words(model_card(facts)) == _words(old)


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
