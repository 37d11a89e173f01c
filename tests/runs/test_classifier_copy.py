"""A run keeps a copy of the classifier that it inverts, and notices another."""

import numpy as np
import pytest
from classifiers import plain

import sgan_tf
from sgan_tf import RunError
from sgan_tf.runs.classifier import Classifier
from sgan_tf.runs.classifier_copy import FILE, builder, with_bytes_of_copy, write_copy


def test_a_run_keeps_its_classifier_and_notices_another(digits, file, tmp_path):
    content = file.read_bytes()
    classifier = Classifier.of_file(file, "-1..1")
    encoder, cuts, described = classifier.adapted(["hidden", "pool1"], digits)
    assert cuts == ["pool1", "hidden"]
    config = sgan_tf.make_config("digits", cuts=cuts, epochs=1, classifier=described)
    assert list(config.stages()) == ["level0", "level1", "level2", "joint"]
    assert sgan_tf.Config.from_json(config.to_json()) == config
    run = sgan_tf.Run.open(tmp_path / "run", config)
    write_copy(run, classifier, encoder)
    file.unlink()
    kept = tmp_path / "run" / FILE
    kept.unlink()
    write_copy(run, classifier, encoder)  # what was lost comes back
    assert kept.read_bytes() == content
    again, stack = builder(run)(config, digits.image_shape, digits.class_names)
    run.checkpoint("encoder").load(again.networks())
    for a, b in zip(
        encoder.features(digits.test_images[:5]), again.features(digits.test_images[:5])
    ):
        np.testing.assert_array_equal(a, b)
    assert [level.generator.output_shape[1:] for level in stack.levels] == encoder.shapes[:-1]
    plain().save(kept)
    with pytest.raises(RunError, match=f"{FILE} is not the file that the run was begun with"):
        builder(run)(config, digits.image_shape, digits.class_names)


def test_a_run_s_copy_is_the_same_model_only_if_it_answers_alike(digits, tmp_path):
    model = plain()
    first = Classifier.of_model(model, lambda images: 1 - images, digits.image_shape)
    (tmp_path / FILE).write_bytes(first.content)
    again = Classifier.of_model(model, lambda images: 1 - images, digits.image_shape)
    assert with_bytes_of_copy(again, tmp_path, digits).content == first.content
    other = Classifier.of_model(model, lambda images: images - 1, digits.image_shape)
    assert with_bytes_of_copy(other, tmp_path, digits) is other
