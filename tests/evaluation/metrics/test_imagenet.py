import numpy as np
import pytest

from sgan_tf.evaluation import metrics
from sgan_tf.evaluation.metrics.classifier_score import classifier_score
from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.metrics.imagenet import imagenet_scores
from sgan_tf.evaluation.metrics.precision_recall import precision_recall
from sgan_tf.evaluation.protocol import silent
from sgan_tf.evaluation.scores import to_json
from sgan_tf.evaluation.view import NetworkOutputs

RNG = np.random.default_rng(0)
TRAIN, FEATURES = RNG.normal(0, 1, (100, 4)), RNG.normal(0.5, 1, (100, 4))
LOGITS = RNG.normal(0, 3, (100, 7))


def test_they_are_the_formulas_of_the_other_scores():
    precision, recall = precision_recall(TRAIN, FEATURES)
    assert to_json(imagenet_scores(NetworkOutputs(LOGITS, FEATURES, TRAIN), silent)) == {
        "fd100_imagenet": pytest.approx(frechet_distance(TRAIN, FEATURES)),
        "precision100_imagenet": precision,
        "recall100_imagenet": recall,
        "cs100_imagenet": pytest.approx(classifier_score(LOGITS, splits=1)[0]),
    }


def test_their_meaning_says_of_how_many_images_they_are():
    names = ("fd5k_imagenet", "precision5k_imagenet", "recall5k_imagenet", "cs5k_imagenet")
    meanings = []
    for score in metrics.read(dict.fromkeys(names, 1.0)):
        description = metrics.descriptions()[score.key]
        assert description.label(score) == score.name  # N would be the samples' number
        assert "Both columns are of 5k images" in description.meaning(score)
        meanings.append(description.meaning(score))
    assert all(meaning.endswith(" is better)") for meaning in meanings)
    assert "not the FID" in meanings[0] and "not the Inception score" in meanings[-1]
