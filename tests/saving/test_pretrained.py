"""The stacks that come with the package."""

import pathlib

import numpy as np
import pytest

import sgan_tf
from sgan_tf.saving import pretrained, stack_folder
from sgan_tf.saving.load import LoadError

NAMES = pretrained.names()


def test_the_four_data_sets_are_among_them_with_their_scores():
    listed = sgan_tf.list_pretrained()
    assert {"cifar10", "digits", "mnist", "svhn"} <= listed.keys() and list(listed) == NAMES
    assert listed["digits"]["fcd50k_test"] < 1
    assert all(scores["sample_accuracy"] > 0.6 for scores in listed.values())  # of chance 0.1


def test_together_they_are_small():
    sizes = [(pretrained.FOLDER / name / stack_folder.WEIGHTS).stat().st_size for name in NAMES]
    assert sum(sizes) <= pretrained.MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_each_loads_and_its_encoder_knows_what_its_samples_are(name):
    stack = sgan_tf.load(name)
    labels = np.arange(100) % len(stack.class_names)
    images = stack.sample(labels, seed=0)
    assert images.shape == (100, *stack.encoder.image_shape)
    guessed = np.argmax(stack.infer_noise(images).probabilities, -1)
    assert (guessed == labels).mean() > 0.6  # of chance 0.1; the least of them has 0.7
    card = (pretrained.FOLDER / name / stack_folder.CARD).read_text()
    scores = "fcd50k_test" if sgan_tf.list_pretrained()[name] else "have no scores yet"
    for part in ("Licence of the data", "train.py", "evaluate.py", scores, "limits"):
        assert part in card


def test_a_name_that_is_none_lists_those_that_are(tmp_path, monkeypatch):
    with pytest.raises(LoadError, match="minst is neither .*digits"):
        sgan_tf.load("minst")
    with pytest.raises(LoadError, match="`build`: is for run folders"):
        sgan_tf.load("digits", build=lambda: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert sgan_tf.load("digits").class_names[7] == "7"
    for folder in ("./digits", pathlib.Path("digits")):
        with pytest.raises(sgan_tf.RunError, match="it has no config.json"):
            sgan_tf.load(folder)
