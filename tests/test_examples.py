"""The examples in the docstrings of the public names are run; every public class has one."""

import doctest
import inspect
import pathlib
import runpy
import subprocess
import sys

import keras
import numpy as np
import pytest

import sgan_tf

# What carries data or says what went wrong: nothing is done with it that an example could show.
PLAIN = {
    *("Decomposition", "ImageDataset", "EncoderConfig", "LevelConfig", "GeneratorConfig"),
    *("DiscriminatorConfig", "LossConfig", "OptimizerConfig", "JointConfig"),
    *("Hyperparameters", "TrainingOptions"),
}
PUBLIC = [name for name in sgan_tf.__all__ if name != "__version__"]
CLASSES = [
    name
    for name in PUBLIC
    if inspect.isclass(getattr(sgan_tf, name)) and not name.endswith("Error") and name not in PLAIN
]


def examples(name):
    thing = getattr(sgan_tf, name)
    module = inspect.getmodule(thing)
    found = doctest.DocTestFinder(recurse=False).find(thing, name, module, vars(module))
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_class_shows_how_it_is_used(name):
    assert examples(name)


@pytest.mark.parametrize("name", [name for name in PUBLIC if examples(name)])
def test_examples_do_what_they_say(name, capsys):
    (test,) = examples(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    test.globs = dict(vars(inspect.getmodule(getattr(sgan_tf, name))), sgan_tf=sgan_tf)
    failures = []
    runner.run(test, out=failures.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(failures)


def test_the_package_lists_its_public_names():
    assert set(PUBLIC) <= set(dir(sgan_tf))


def test_the_resnet_of_the_docs_is_cut_where_it_says():
    path = pathlib.Path(__file__).parents[1] / "docs" / "examples" / "resnet_cifar10.py"
    model = runpy.run_path(str(path))["resnet"](width=4)
    images = np.random.default_rng(0).random((2, 32, 32, 3), dtype=np.float32)
    shapes = {"stage1": (16, 16, 8), "stage2": (8, 8, 16), "stage3": (4, 4, 32), "pool": (32,)}
    for name, shape in shapes.items():
        cut = model.get_layer(name).output
        lower, upper = keras.Model(model.input, cut), keras.Model(cut, model.output)
        assert cut.shape[1:] == shape
        np.testing.assert_allclose(upper(lower(images)), model(images), atol=1e-5)


@pytest.mark.slow
def test_a_narrower_posterior_leaves_the_samples_and_learns_the_noise(finished, tmp_path):
    path = pathlib.Path(__file__).parents[1] / "docs" / "examples" / "narrow_posterior.py"
    flags = ["--run_dir", finished[0], "--out", tmp_path / "narrow", "--widths", "12,24"]
    run = [sys.executable, str(path), *map(str, flags), "--steps", "800"]
    subprocess.run(run, check=True, capture_output=True)
    before, after = sgan_tf.load(finished[0]), sgan_tf.load(tmp_path / "narrow")
    trunks = [stack.levels[0].discriminator.trunk for stack in (before, after)]
    assert trunks[1].count_params() < trunks[0].count_params() / 2
    labels = np.arange(200) % 10
    noise = after.noise(200, seed=1)
    images = after.decode(labels, noise)
    np.testing.assert_allclose(images, before.decode(labels, noise), atol=1e-6)
    errors = [(found - z) ** 2 for found, z in zip(after.infer_noise(images).noise, noise)]
    assert errors[0].mean() < 0.95 / 12  # that of knowing nothing is 1/12
    np.testing.assert_allclose(  # the upper levels are as they were
        after.levels[1].estimate_noise(after.encoder.features(images)[0]),
        before.levels[1].estimate_noise(before.encoder.features(images)[0]),
        atol=1e-5,
    )
