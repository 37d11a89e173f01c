"""Keras files and models as encoders: what is read, what is refused."""

import importlib
import json
import sys
import zipfile

import keras
import numpy as np
import pytest
from classifiers import plain
from keras import layers

import sgan_tf
from sgan_tf import ConfigError
from sgan_tf.models.build import check_config
from sgan_tf.runs.classifier import Classifier

OWN_LAYER = """
import keras

class Halved(keras.layers.Layer):
    def call(self, x):
        return x / 2
"""


def rewritten(path, name, change):
    """Changes the content of one member of a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def of_another_version(path):
    version = json.dumps({"keras_version": "9.0"}).encode()
    rewritten(path, "metadata.json", lambda text: version)
    rewritten(path, "config.json", lambda text: text.replace(b"Dense", b"Denser"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_bytes(b"no zip"), "is no .keras file"),
        (lambda path: path.unlink(), "cannot be read .No such file"),
        (
            lambda path: rewritten(path, "config.json", lambda text: text[:-9]),
            f"cannot be read; it was written by Keras {keras.__version__}, here is",
        ),
        (
            lambda path: rewritten(path, "model.weights.h5", lambda content: content[:99]),
            "cannot be read",
        ),
        (of_another_version, "it was written by Keras 9.0, here is"),
    ],
)
def test_files_that_are_no_classifier_are_named(file, change, message):
    change(file)
    with pytest.raises(ConfigError, match=f"`encoder`: {file}.*{message}"):
        Classifier.of_file(file)


def test_a_model_of_the_program_stays_trainable_and_makes_one_file(digits):
    model = plain()
    models = [Classifier.of_model(model), Classifier.of_model(model, lambda images: 1 - images)]
    for classifier in models:
        classifier.encoder(["hidden"], digits.image_shape)
    assert len(model.trainable_variables) == 8
    assert Classifier.of_model(model).content == models[0].content


def test_a_function_of_images_serves_a_model_of_any_size():
    anyhow = keras.Sequential(
        [keras.Input((None, None, 1)), layers.GlobalMaxPooling2D(), layers.Dense(3)]
    )
    classifier = Classifier.of_model(anyhow, lambda images: 1 - images, (8, 8, 1))
    assert classifier.encoder([], (8, 8, 1)).shapes == [(8, 8, 1), (3,)]


def test_code_in_a_file_is_not_run(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Lambda(lambda x: x), layers.Flatten()])
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(ConfigError, match="holds code, as of a Lambda layer, which is not run"):
        Classifier.of_file(tmp_path / "lambda.keras")


def test_layers_that_keras_does_not_know_are_named(tmp_path):
    class Unknown(layers.Layer):
        pass

    model = keras.Sequential([keras.Input((8, 8, 1)), Unknown(), layers.Flatten()])
    model.save(tmp_path / "own.keras")
    named = "does not know; name them by `custom_objects`, .* .Could not locate class 'Unknown'"
    with pytest.raises(ConfigError, match=named):
        Classifier.of_file(tmp_path / "own.keras")


def test_layers_of_ones_own_come_from_modules(tmp_path, monkeypatch):
    (tmp_path / "own_layers_of_a_user.py").write_text(OWN_LAYER)
    monkeypatch.chdir(tmp_path)
    paths = list(sys.path)
    with pytest.raises(ConfigError, match="`custom_objects`: own_layers_of_a_user:Doubled cannot"):
        Classifier.of_file("own.keras", "0..1", ["own_layers_of_a_user:Doubled"])
    Halved = importlib.import_module("own_layers_of_a_user").Halved

    inputs = keras.Input((8, 8, 1))
    keras.Model(inputs, layers.Dense(3)(layers.Flatten()(Halved()(inputs)))).save("own.keras")
    classifier = Classifier.of_file("own.keras", "0..1", ["own_layers_of_a_user:Halved"])
    assert classifier.candidates((8, 8, 1))[0].name == "halved" and sys.path == paths


def test_classes_are_as_many_as_the_images(digits):
    classifier = Classifier.of_model(plain(classes=7))
    with pytest.raises(ConfigError, match="has 7 classes, and the images have 10"):
        classifier.adapted(["hidden"], digits)


def test_a_model_at_fault_is_named(digits):
    classifier = Classifier.of_model(plain((8, 8, 4)))
    with pytest.raises(ConfigError, match="`encoder`: the model: the classifier takes .8, 8, 4."):
        classifier.adapted(["hidden"], digits)


def test_class_names_in_the_classifiers_order(digits):
    order = [str(digit) for digit in range(9, -1, -1)]
    named = digits.named(order)
    assert named.class_names == order
    np.testing.assert_array_equal(named.train_labels, 9 - digits.train_labels)
    words = digits.named([f"digit {i}" for i in range(10)])
    np.testing.assert_array_equal(words.train_labels, digits.train_labels)
    for names in (["a", "b"], ["a"] * 10):
        with pytest.raises(sgan_tf.DataError, match="`class_names`: .* not names for 10 classes"):
            digits.named(names)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["levels.0.generator.family=mirror"],
            "levels.0.generator.family: mirror is not one of shapes",
        ),
        (
            ["levels.0.discriminator.family=halved"],
            "discriminator.family: halved is not one of strided, for image of 7 x 7",
        ),
        (["levels.0.features=[pool1]"], "levels.0.features: .* is not empty"),
        (["classifier.input_range=0..255"], "classifier.input_range follows from `encoder`"),
        (["encoder.epochs=2"], "encoder.epochs: 2 is not 0, as a given classifier is trained"),
    ],
)
def test_settings_that_a_classifier_rules_out(overrides, message):
    shapes = [[7, 7, 1], [12]]
    described = sgan_tf.config.schema.ClassifierConfig(
        "", shapes=shapes, activations=["sigmoid", "relu"]
    )
    with pytest.raises(ConfigError, match=message):
        check_config(
            sgan_tf.make_config("digits", cuts=["a"], overrides=overrides, classifier=described)
        )
