"""`invert`: a stack on a model of this program."""

import keras
import numpy as np
import pytest
from classifiers import plain
from PIL import Image
from shared import DIGITS

import sgan_tf
from sgan_tf.runs.classifier_copy import FILE
from sgan_tf.runs.resume import read_config
from sgan_tf.saving.export import export
from sgan_tf.utils.images import TILE

SMALL = [
    *(
        "levels.0.generator.channels=[4]",
        "levels.0.discriminator.channels=[4]",
        "levels.0.generator.noise_units=[4]",
    ),
    *("levels.1.generator.units=[8]", "levels.1.discriminator.units=[8]"),
]


@pytest.mark.slow
def test_a_model_is_inverted_and_goes_on_where_it_was(tmp_path):
    data = sgan_tf.load_dataset("digits")
    images, labels = data.train_images[:300], data.train_labels[:300]
    model = plain()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(1 - images / 255, labels, epochs=8, verbose=0)

    def invert(model=model):
        return sgan_tf.invert(
            model,
            images,
            labels,
            cuts=["hidden"],
            run_dir=tmp_path,
            input_range=lambda x: 1 - x,
            hyperparameters=sgan_tf.Hyperparameters(epochs=1, overrides=SMALL),
            options=sgan_tf.TrainingOptions(sample_every=0),
        )

    stack = invert()
    expected = model.predict(1 - images[:20] / 255, verbose=0)
    np.testing.assert_allclose(stack.infer_noise(images[:20]).probabilities, expected, atol=1e-5)
    assert len(model.trainable_variables) == 8 and (tmp_path / FILE).exists()
    sampled = stack.sample([3, 4], seed=1)
    assert sampled.shape == (2, 8, 8, 1)
    for again in (invert(), sgan_tf.load(tmp_path)):
        np.testing.assert_array_equal(again.sample([3, 4], seed=1), sampled)
    with pytest.raises(sgan_tf.RunError, match="holds another configuration .classifier.sha256"):
        invert(keras.models.clone_model(model))


def test_a_dozen_images_of_a_few_classes_are_inverted(tmp_path):
    data = sgan_tf.load_dataset("digits")
    images, labels = data.train_images[:12], np.array([2, 7, 5] * 4)
    brief = sgan_tf.Hyperparameters(epochs=1, overrides=[*SMALL, "joint.epochs=0"])
    given = dict(class_names=DIGITS, hyperparameters=brief)
    sgan_tf.invert(plain(), images, labels, ["hidden"], tmp_path, **given)
    assert read_config(tmp_path).batch_size == 10  # all that are not kept for testing
    grids = [tmp_path / name for name in ("reals.png", "fakes_init.png", "fakes_level1_0001.png")]
    heights = {Image.open(path).height for path in grids}
    assert heights == {3 * (TILE + 1)}  # a row a class that has images


@pytest.mark.slow
def test_pictures_of_thirty_classes_show_twenty_on_the_way_in_an_export_and_in_its_card(tmp_path):
    classes, run_dir = 30, tmp_path / "run"
    images = np.random.default_rng(0).random((90, 8, 8, 1), dtype=np.float32)
    names = [f"kind{i}" for i in range(classes)]
    brief = sgan_tf.Hyperparameters(epochs=1, overrides=[*SMALL, "joint.epochs=0"])
    given = dict(class_names=names, hyperparameters=brief)
    labels = np.arange(90) % classes
    sgan_tf.invert(plain(classes=classes), images, labels, ["hidden"], run_dir, **given)
    path, _ = export(run_dir, export_dir=tmp_path / "exports", max_batch=250)
    pictures = [run_dir / name for name in ("reals.png", "fakes_init.png", "fakes_level1_0001.png")]
    pictures.append(path / "assets" / "samples.png")
    assert {Image.open(picture).height for picture in pictures} == {20 * (TILE + 1)}
    card = (path / "assets" / "README.md").read_text()
    assert "a row for each of 20 of the 30 classes" in card
    assert "in 30 classes:\nkind0, " in card and "kind19 and 10 more" in card
    assert "kind20" not in card
    assert (path / "assets" / "class_names.txt").read_text().split() == names


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 8, 8, 1)), [0, 1], "images are 2; at least 3 are needed"),
        (np.zeros((4, 8, 8)), [0] * 4, r"images must have the shape \[N, H, W, C\]"),
        (np.full((4, 8, 8, 1), 2.0), [0] * 4, r"floats in \[0, 1\]"),
        (np.zeros((4, 8, 8, 1)), [0] * 3, "labels are 3, and images 4"),
        (np.zeros((4, 8, 8, 1)), [-1] * 4, "labels must lie"),
    ],
)
def test_arrays_that_are_no_labelled_images_are_refused(images, labels, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        sgan_tf.invert(plain(), images, labels, ["hidden"], tmp_path)
