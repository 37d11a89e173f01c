"""What version 0.1.0 wrote still loads and gives the same images."""

import pathlib
import random
import shutil

import numpy as np
import pytest

import sgan_tf
from sgan_tf.config.schema import SCHEMA
from sgan_tf.runs.resume import read_config

OLD = pathlib.Path(__file__).parents[1] / "fixtures" / "v0.1.0"
PRESET = [  # what the run there was trained with
    *(
        "levels.0.generator.channels=[8,8,8,8]",
        "levels.0.discriminator.channels=[8,8]",
        "levels.0.generator.noise_units=[8]",
    ),
    *(
        "levels.1.generator.units=[16]",
        "levels.1.discriminator.units=[16]",
        "encoder.channels=[8,8]",
    ),
    *(
        "encoder.units=16",
        "levels.0.discriminator.dropout=0.1",
        "levels.0.discriminator.input_noise=0.05",
    ),
]


def test_a_run_of_0_1_0_gives_the_images_that_it_gave():
    stack = sgan_tf.load(OLD / "run")
    assert stack.class_names == [str(d) for d in range(10)]
    samples = stack.sample(np.arange(10), seed=1)
    np.testing.assert_allclose(samples, np.load(OLD / "samples.npy"), atol=1e-5)


def test_its_configuration_is_the_one_that_the_same_flags_give_today():
    today = sgan_tf.make_config("digits", epochs=1, overrides=PRESET)
    assert read_config(OLD / "run").differences(today) == []


@pytest.mark.slow
def test_it_is_opened_by_the_same_command_and_can_be_trained_on(tmp_path):
    shutil.copytree(OLD / "run", tmp_path / "run")
    today = sgan_tf.make_config("digits", epochs=1, overrides=[*PRESET, "joint.epochs=2"])
    run = sgan_tf.Run.open(tmp_path / "run", today)
    assert f'"schema": {SCHEMA}' in (run.path / "config.json").read_text()
    stack = sgan_tf.Pipeline(run.config, run, sgan_tf.load_dataset("digits")).train()
    assert run.progress("joint") == (58, True)
    assert stack.sample([3], seed=1).shape == (1, 8, 8, 1)


def test_loading_leaves_the_random_numbers_of_the_user_alone():
    random.seed(7)
    np.random.seed(7)
    expected = random.random(), np.random.random()
    random.seed(7)
    np.random.seed(7)
    sgan_tf.load(OLD / "run")
    assert (random.random(), np.random.random()) == expected


def test_what_is_not_trained_does_not_load(tmp_path):
    with pytest.raises(sgan_tf.RunError, match="it has no config.json"):
        sgan_tf.load(tmp_path)
    shutil.copytree(OLD / "run", tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "joint.safetensors").unlink()
    assert sgan_tf.load(tmp_path / "run").sample([1]).shape == (1, 8, 8, 1)  # the levels are there
    (tmp_path / "run" / "checkpoints" / "level1.safetensors").unlink()
    with pytest.raises(sgan_tf.RunError, match="level1 is not finished"):
        sgan_tf.load(tmp_path / "run")
