"""Scores: their names, how those are read again, and what the descriptions of their keys say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgan_tf.evaluation import metrics
from sgan_tf.evaluation.scores import Description, Score, by_class, short, to_json
from sgan_tf.saving.pretrained import FOLDER, names

NAMES = {
    Score("sample_accuracy", 0.5): "sample_accuracy",
    Score("kcd", 0.5, 50_000): "kcd50k",
    Score("fcd_train", 0.5, 1234): "fcd1234_train",
    Score("fcd_train", 0.5, 5000, by_views=True): "fcd5k_train_by_views",
    Score("cs", 0.5, 50_000, parts=10): "cs50k_10x5k",
    Score("cs_std", 0.5, 60, parts=10): "cs60_10x6_std",
    Score("is_std", 0.5, 50_000, parts=10): "is50k_10x5k_std",
    Score("fid_train", 0.5, 50_000): "fid50k_train",
    Score("fcd_class", 0.5, 50_000): "fcd50k_class",
    Score("fcd_class", 0.5, 50_000, class_name="hot_dog"): "fcd50k_class_hot_dog",
    Score("recall_class", 0.5, 1234, class_name="a_b_std"): "recall1234_class_a_b_std",
    Score("ms_ssim", 0.5, class_name="x"): "ms_ssim_x",
    Score("class_images", 20.0, class_name="2x3"): "class_images_2x3",
    Score("conditional_spread_h", 0.5, level=1): "conditional_spread_h_1",
    Score("nn_ratio", 0.5, by_views=True): "nn_ratio_by_views",
}


@pytest.mark.parametrize("score, name", NAMES.items(), ids=NAMES.values())
def test_a_name_is_written_and_read(score, name):
    assert score.name == name
    assert metrics.read({name: score.value}) == [score]


def scores_of(key, description):
    """All that a score of a described key may be."""
    counts = st.integers(1, 10**6)
    fields = {
        "count": st.none() | counts,
        "parts": st.none(),
        "class_name": st.none(),
        "level": st.none(),
        "by_views": st.just(False) if not description.judged else st.booleans(),
    }
    if key.split("_")[0] in ("cs", "is"):
        fields |= {"count": counts, "parts": st.integers(1, 100)}
    if description.per == "class":
        fields["class_name"] = st.none() | st.text(min_size=1)
    if description.per == "level":
        fields["level"] = st.integers(0, 20)
    return st.builds(Score, st.just(key), st.floats(allow_nan=False), **fields)


@given(
    st.lists(st.one_of([scores_of(*pair) for pair in metrics.descriptions().items()]), max_size=9)
)
def test_whatever_a_metric_measures_is_read_again_from_json(scores):
    named = {score.name: score for score in scores}
    text = json.dumps(to_json(list(named.values())))
    assert metrics.read(json.loads(text)) == list(named.values())


def test_the_scores_of_bundled_stacks_are_known():
    known = metrics.descriptions()
    for stack in names():
        metadata = json.loads((FOLDER / stack / "metadata.json").read_text())
        for numbers in list(metadata["training"]["metrics"]["evaluation"].values())[-2:]:
            scores = metrics.read(numbers)
            assert {score.key for score in scores} <= known.keys() and len(scores) > 10
            assert to_json(scores) == numbers
            assert {score.count for score in scores} == {50_000, None}


def test_a_score_that_no_metric_measures_keeps_its_name():
    (score,) = metrics.read({"fid10k_test": 12.3})
    assert score == Score("fid10k_test", 12.3) and score.name == score.label == "fid10k_test"
    unknown = ("precision_5", "fcd5000_train", "spread_h_x", "cs50k_0x5k", "is_10x5k", "")
    assert metrics.read(dict.fromkeys(unknown, 1.0)) == [Score(name, 1.0) for name in unknown]


def test_counts_are_short():
    assert [short(n) for n in (50_000, 5000, 1234, 500)] == ["50k", "5k", "1234", "500"]


def test_the_scores_of_classes_follow_their_mean():
    assert by_class("fcd_class", {"cat": 1.0, "dog": 3.0}, 50_000) == [
        Score("fcd_class", 2.0, 50_000),
        Score("fcd_class", 1.0, 50_000, class_name="cat"),
        Score("fcd_class", 3.0, 50_000, class_name="dog"),
    ]
    assert by_class("fcd_class", {}, 50_000) == []


@pytest.mark.parametrize(
    "name, label, says",
    [
        ("fcd50k_train", "fcdN_train", "diversity in one; few images bias it upwards (lower is"),
        ("cs50k_10x5k", "csN", "classifier score: how surely"),
        ("cs50k_10x5k_std", "csN_std", "standard deviation"),
        ("fcd50k_class_cat", "fcd_class", "inside the class"),
        ("ms_ssim_cat", "ms_ssim", "two images of the class"),
        ("spread_h_1", "spread_h_1", "the h_1 that level 1 generates"),
        ("noise_recovery_1", "noise_recovery_1", "how well Q_1 reads the noise z_1"),
        ("recall60_by_views", "recallN_by_views", "(higher is better); the judge was trained with"),
    ],
)
def test_what_a_report_says_of_a_score(name, label, says):
    (score,) = metrics.read({name: 1.0})
    description = metrics.descriptions()[score.key]
    assert description.label(score) == label and says in description.meaning(score)


def test_a_score_whose_columns_are_of_as_many_images_shows_how_many():
    description = Description("it sees {count} images", same_count=True)
    score = Score("mine", 1.0, 5000)
    assert description.label(score) == "mine5k"
    assert description.meaning(score) == "it sees 5k images"
