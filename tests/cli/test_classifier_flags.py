"""A classifier of one's own, by commands: trained in plain Keras, inverted, loaded, exported."""

import hashlib
import json
import pathlib
import re

import keras
import numpy as np
import pytest
from classifiers import plain
from processes import EXPORT, TRAIN, refused, run

import sgan_tf
from sgan_tf.runs.run import Run
from sgan_tf.saving import stack_folder

NAMES = "zero,one,two,three,four,five,six,seven,eight,nine"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A digits classifier that takes images of [0, 255]: `(file, its model)`."""
    path = tmp_path_factory.mktemp("classifier") / "digits.keras"
    keras.utils.set_random_seed(0)
    data, shape = sgan_tf.load_dataset("digits"), (8, 8, 1)
    # Scaled inside: on raw values its few hidden units may all die.
    scaled = keras.layers.Rescaling(1 / 255, name="scaled")
    model = keras.Sequential([keras.Input(shape), scaled, *plain(shape).layers])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(data.train_images.astype("float32"), data.train_labels, epochs=10, verbose=0)
    model.save(path)
    return path, model


@pytest.mark.slow
def test_settings_of_a_classifier_are_read_with_it(classifier, tmp_path):
    flags = ["--encoder", classifier[0], "--run_dir", tmp_path / "run"]
    ranged = ["--encoder_input", "0..255", "--dry_run"]
    out, _ = run(TRAIN, [*flags, *ranged, "--cuts", "hidden"])
    file = tmp_path / "mine.json"
    file.write_text(out)
    again, _ = run(TRAIN, [*flags, *ranged, "--config", file])
    assert again == out
    error = refused(TRAIN, [*flags, "--config", file])
    assert "is not the classifier of" in error and "input_range: 0..255 -> 0..1" in error
    error = refused(TRAIN, ["--dry_run", "--config", file])
    assert f"--config: {file} is of a classifier; name it with --encoder" in error


@pytest.mark.slow
def test_a_classifier_is_inverted_by_commands(classifier, tmp_path):
    path, model = classifier
    flags = ["--encoder", path, "--encoder_input", "0..255"]
    out, _ = run(TRAIN, [*flags, "--dry_run"])
    assert [line.split(":")[0] for line in out.splitlines()[2:]] == [
        f"#   {cut}"
        for cut in ("scaled  8 x 8 x 1", "conv1  8 x 8 x 8", "pool1  4 x 4 x 8", "conv2  4 x 4 x 8")
        + ("flat  128", "dropout  128", "hidden  12")
    ]
    assert re.search(r"hidden  12: 0\.\d+ M; \S+ \+ \S+ GFLOP; \S+ TFLOP$", out)
    flags += ["--cuts", "hidden,pool1", "--class_names", NAMES, "--epochs", "1"]
    flags += ["--sample_every", "0", "--set", "joint.epochs=0", "--run_dir", tmp_path / "run"]
    out, _ = run(TRAIN, flags)
    assert f"encoder: {path}, cut at pool1, hidden\n" in out and "near chance" not in out
    assert "encoder: test accuracy 0." in out and "level2: done in" in out
    content = path.read_bytes()
    kept = Run(tmp_path / "run").path
    accuracy = json.loads((kept / "encoder.json").read_text())["test_accuracy"]
    data = sgan_tf.load_dataset("digits")
    predicted = model.predict(data.test_images.astype("float32"), verbose=0).argmax(-1)
    assert accuracy == pytest.approx(np.mean(predicted == data.test_labels), abs=0.01)
    described = json.loads((kept / "config.json").read_text())["classifier"]
    assert described["sha256"] == hashlib.sha256(content).hexdigest()
    assert described["activations"] == ["sigmoid", "relu", "relu"]
    assert (kept / "classifier.keras").read_bytes() == content
    again, _ = run(TRAIN, flags)
    assert "level2 is finished already" in again
    path.rename(path.with_name("moved.keras"))
    try:
        stack = sgan_tf.load(tmp_path / "run")
        images = data.test_images[:50]
        expected = model.predict(images.astype("float32"), verbose=0)
        found = stack.infer_noise(images).probabilities
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert stack.class_names == NAMES.split(",")
        assert stack_folder.remembered(stack)["metrics"]["encoder"]["test_accuracy"] == accuracy
        run(EXPORT, ["--run_dir", tmp_path / "run", "--export_dir", tmp_path / "exports"])
        names = (tmp_path / "exports" / "run" / "1" / "assets" / "class_names.txt").read_text()
        assert names.split() == NAMES.split(",")
    finally:
        path.with_name("moved.keras").rename(path)
    error = refused(TRAIN, ["--encoder_from", tmp_path / "run", "--run_dir", tmp_path / "other"])
    assert "--encoder_from" in error and "give that to --encoder" in error
    plain().save(tmp_path / "other.keras")
    error = refused(TRAIN, ["--encoder", tmp_path / "other.keras", *flags[2:]])
    assert "holds another configuration (classifier.sha256" in error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cuts", "hiden"], "--cuts: the classifier has no layer 'hiden'; did you mean hidden"),
        (["--cuts", "none", "--class_names", "a,b"], "--class_names: a, b are not names for 10"),
        (["--cuts", "hidden", "--stages", "encoder"], "--stages: unknown stage 'encoder'"),
        (["--cuts", "hidden", "--encoder_input", "caffe"], "--encoder_input: caffe is of three"),
    ],
)
def test_what_cannot_be_is_one_line(classifier, tmp_path, flags, message):
    arguments = ["--encoder", classifier[0], "--run_dir", tmp_path / "run", *flags]
    assert message in refused(TRAIN, arguments)
    assert not pathlib.Path(tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--encoder", "absent.keras", "--cuts", "a"], "--encoder: absent.keras is no file"),
        (["--encoder", "setup.cfg"], "--cuts: say at which layers --encoder is cut"),
        (["--encoder_input", "0..255"], "--encoder_input: is of a classifier; name it with"),
        (["--encoder", "vgg16", "--cuts", "none"], "--encoder_weights: say which vgg16 has"),
    ],
)
def test_flags_that_do_not_go_together_are_one_line(flags, message, tmp_path):
    assert message in refused(TRAIN, [*flags, "--run_dir", tmp_path / "run"])
