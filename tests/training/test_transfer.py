"""The trained encoder of another run: what is taken, what is refused."""

import json
import pathlib
import shutil

import keras
import numpy as np
import pytest

import sgan_tf
from sgan_tf.errors import RunError
from sgan_tf.runs.resume import read_config
from sgan_tf.runs.run import Run
from sgan_tf.training.transfer import check_images, take_encoder, with_encoder

OLD = pathlib.Path(__file__).parents[1] / "fixtures" / "v0.1.0" / "run"
SMALL = [
    *(
        "levels.0.generator.channels=[4]",
        "levels.0.discriminator.channels=[4]",
        "levels.0.generator.noise_units=[4]",
    ),
    "batch_size=25",  # of the other run: 50
]


@pytest.fixture(scope="module")
def digits():
    return sgan_tf.load_dataset("digits")


def taken(folder, digits, cuts=("fc3",), source=OLD):
    config = sgan_tf.make_config("digits", cuts=cuts, epochs=1, overrides=SMALL)
    run = Run.open(folder, with_encoder(config, source, SMALL))
    take_encoder(run, source, digits)
    return run


@pytest.mark.parametrize("cuts", [(), ("fc3",), ("pool2", "fc3"), ("conv1", "pool1", "conv2")])
def test_whatever_the_cuts_it_is_the_same_encoder_and_level_0_is_next(digits, tmp_path, cuts):
    run = taken(tmp_path / "run", digits, cuts)
    options = sgan_tf.TrainingOptions(sample_every=0)
    pipeline = sgan_tf.Pipeline(run.config, run, digits, options=options)
    pipeline.train(["encoder"])
    theirs = sgan_tf.load(OLD).encoder
    images = digits.test_images[:50]
    np.testing.assert_array_equal(
        *(encoder.predict(images, verbose=0) for encoder in (pipeline.encoder, theirs))
    )
    assert not pipeline.encoder.trainable and run.metrics.read() == []
    assert run.unfinished(run.config)[0] == "level0 (step 0)"
    facts = json.loads((OLD / "encoder.json").read_text())
    assert json.loads((run.path / "encoder.json").read_text()) == facts
    record = json.loads((run.path / "encoder_from.json").read_text())
    assert record == {"run_dir": str(OLD), "weights": Run(OLD).checkpoint("encoder").checksum()}


def test_taking_it_again_changes_nothing(digits, tmp_path):
    taken(tmp_path / "run", digits).close()
    path = Run(tmp_path / "run").checkpoint("encoder").path
    before = path.read_bytes(), path.stat().st_mtime_ns
    taken(tmp_path / "run", digits).close()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    other = taken(tmp_path / "other", digits, source=tmp_path / "run")  # handed on
    weights = {Run(p).checkpoint("encoder").checksum() for p in (tmp_path / "run", other.path)}
    assert len(weights) == 1


@pytest.mark.parametrize("done", [False, True])
def test_an_encoder_of_its_own_is_not_replaced(digits, tmp_path, done):
    config = with_encoder(sgan_tf.make_config("digits", overrides=SMALL), OLD)
    run = Run.open(tmp_path / "run", config)
    run.checkpoint("encoder").save({"encoder": [keras.Variable(np.ones(3))]}, 7, done)
    before = run.checkpoint("encoder").path.read_bytes()
    with pytest.raises(RunError, match="^`encoder_from`: .*run has an encoder already that is not"):
        take_encoder(run, OLD, digits)
    assert run.checkpoint("encoder").path.read_bytes() == before


def test_its_settings_are_the_other_runs():
    config = sgan_tf.make_config("digits", overrides=["encoder.units=16", "levels.0.z_dim=5"])
    joined = with_encoder(config, OLD, ["encoder.units=16", "levels.0.z_dim=5"])
    assert joined.encoder == read_config(OLD).encoder != config.encoder
    assert joined.levels == config.levels and joined.levels[0].z_dim == 5


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["encoder.units=32"], "`set`: encoder.units=32 is not what the encoder of .* has, 16"),
        (["encoder.channels=[4,4]"], r"`set`: encoder.channels=\[4, 4\] is not .* has, \[8, 8\]"),
    ],
)
def test_settings_that_ask_for_another_encoder_are_named(overrides, message):
    config = sgan_tf.make_config("digits", overrides=overrides)
    with pytest.raises(sgan_tf.ConfigError, match=message):
        with_encoder(config, OLD, overrides)


def test_runs_that_have_no_encoder_to_give_are_named(tmp_path):
    config = sgan_tf.make_config("digits")
    with pytest.raises(RunError, match="`encoder_from`: .*/absent is not a run of sgan_tf"):
        with_encoder(config, tmp_path / "absent")
    Run.open(tmp_path / "new", config).close()
    with pytest.raises(RunError, match="`encoder_from`: .*new is not trained: encoder is not fin"):
        with_encoder(config, tmp_path / "new")
    mnist = sgan_tf.make_config("mnist")
    with pytest.raises(RunError, match="`encoder_from`: .* of 8 x 8 pixels, not 28 x 28"):
        with_encoder(mnist, OLD)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("class_names", ["a", "b"], "its classes are others"),
        ("image_shape", [8, 8, 3], "its images have another shape"),
        ("crc32", "00000000", "their checksums differ"),
    ],
)
def test_other_images_are_refused(digits, tmp_path, key, value, message):
    check_images(OLD, digits)
    shutil.copy(OLD / "config.json", tmp_path)
    facts = json.loads((OLD / "data.json").read_text())
    (tmp_path / "data.json").write_text(json.dumps({**facts, key: value}))
    with pytest.raises(RunError, match=f"`encoder_from`: .*{message}"):
        check_images(tmp_path, digits)
