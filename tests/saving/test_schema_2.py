"""What was written under schema 2, in flat modules, still loads and gives the same images."""

import pathlib
import shutil

import keras
import numpy as np
import pytest

import sgan_tf

OLD = pathlib.Path(__file__).parents[1] / "fixtures" / "schema-2"
LABELS = [0, 3, 7, 9]
SAMPLES = np.load(OLD / "samples.npy")  # of LABELS and seed 5


def test_a_run_gives_the_images_that_it_gave():
    np.testing.assert_allclose(sgan_tf.load(OLD / "run").sample(LABELS, seed=5), SAMPLES, atol=1e-5)


def test_a_saved_stack_gives_the_images_that_it_gave():
    # Its weights are rounded to float16.
    samples = sgan_tf.load(OLD / "stack").sample(LABELS, seed=5)
    np.testing.assert_allclose(samples, SAMPLES, atol=0.02)


def test_an_export_decodes_what_the_run_decodes():
    stack, export = sgan_tf.load(OLD / "run"), sgan_tf.load(OLD / "export")
    noise = stack.noise(len(LABELS), seed=5)
    np.testing.assert_allclose(export.decode(LABELS, noise), SAMPLES, atol=1e-5)


@pytest.mark.parametrize("name", ["stack", "level0"])
def test_a_keras_file_loads(name):
    stack = sgan_tf.load(OLD / "run")
    model = keras.saving.load_model(OLD / f"{name}.keras")
    theirs = model.levels[0].sampler if name == "stack" else model.sampler
    ours = stack.levels[0].sampler
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_run_is_trained_on(tmp_path):
    shutil.copytree(OLD / "run", tmp_path / "run")
    config = sgan_tf.Config.from_json((OLD / "run" / "config.json").read_text())
    config.joint.epochs += 1
    run = sgan_tf.Run.open(tmp_path / "run", config)
    steps = run.progress("joint").step
    sgan_tf.Pipeline(run.config, run, sgan_tf.load_dataset("digits")).train()
    assert run.progress("joint") == (2 * steps, True)
