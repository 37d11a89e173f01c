"""An export behind a stack's methods, against the run that it was made of."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT

import sgan_tf
from sgan_tf.saving.load import LoadError
from sgan_tf.saving.sampler import Sampler
from sgan_tf.saving.saved_model import ExportedError

OLD = ROOT / "tests" / "fixtures" / "v0.1.0"
IMAGES = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def stack():
    return sgan_tf.load(OLD / "run")


@pytest.fixture(scope="module")
def export():
    return sgan_tf.load(OLD / "export")


def test_it_decodes_and_infers_as_the_stack_does(stack, export):
    noise = stack.noise(205, seed=3)
    labels = np.arange(205) % 10
    images = export.decode(labels, noise)
    np.testing.assert_allclose(images, stack.decode(labels, noise), atol=1e-5)
    ours, theirs = stack.infer_noise(IMAGES), export.infer_noise(IMAGES)
    for a, b in zip([*ours.features, *ours.noise], [*theirs.features, *theirs.noise]):
        np.testing.assert_allclose(a, b, atol=1e-4)
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-5)
    for level in (0, 1):
        again = export.reconstruct(IMAGES, level)
        np.testing.assert_allclose(again, stack.reconstruct(IMAGES, level), atol=1e-4)


def test_every_level_of_three_is_known(small_stack, tmp_path):
    _, stack, _ = small_stack(("pool2", "fc3"))
    sampler = Sampler(stack, stack.class_names)
    tf.saved_model.save(sampler, tmp_path, signatures=sampler.functions)
    facts = {"data": {"class_names": stack.class_names, "image_shape": [8, 8, 1]}}
    (tmp_path / "assets" / "metadata.json").write_text(json.dumps(facts))
    export = sgan_tf.load(tmp_path)
    ours, theirs = stack.infer_noise(IMAGES), export.infer_noise(IMAGES)
    assert [h.shape for h in theirs.features] == [h.shape for h in ours.features]
    for a, b in zip(ours.features, theirs.features):
        np.testing.assert_allclose(a, b, atol=1e-4)
    for level in range(3):
        again = export.reconstruct(IMAGES, level)
        np.testing.assert_allclose(again, stack.reconstruct(IMAGES, level), atol=1e-4)
    noise = stack.noise(3, seed=1)
    images = export.decode(ours.features[1], noise, top=1)
    np.testing.assert_allclose(images, stack.decode(ours.features[1], noise, top=1), atol=1e-4)


def test_a_row_depends_on_its_label_the_seed_and_its_number_alone(export):
    images = export.sample([1, 2, 3, 4], seed=5)
    np.testing.assert_allclose(export.sample([3, 4], seed=5, first=2), images[2:], atol=1e-6)
    assert np.abs(export.sample([3, 3], seed=5) - export.sample([3, 3], seed=6)).max() > 0.01
    assert np.abs(export.sample([3, 3]) - export.sample([3, 3])).max() > 0.01
    assert export.sample([], seed=5).shape == (0, 8, 8, 1)


def test_variations_are_so_many_of_each_image(export):
    varied = export.variations(IMAGES, 4, seed=1)
    assert varied.shape == (3, 4, 8, 8, 1)
    assert np.abs(varied[:, 0] - varied[:, 1]).max() > 0.01


def test_the_newest_version_is_taken(tmp_path, export):
    for version in ("2", "10"):
        shutil.copytree(OLD / "export", tmp_path / version)
    assert sgan_tf.load(tmp_path).path == tmp_path / "10"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda e: e.sample([10]), "labels"),
        (lambda e: e.sample([1], seed=-1), "seed"),
        (lambda e: e.decode([1], []), "noise"),
        (lambda e: e.decode([1], [np.zeros((1, 3)), np.zeros((1, 16))]), "noise.0. must have"),
        (lambda e: e.decode([1, 2], [np.zeros((1, 8)), np.zeros((1, 16))]), "noise.0. has 1 rows"),
        (lambda e: e.decode(np.zeros((1, 3)), [np.zeros((1, 8))], top=0), "condition"),
        (lambda e: e.reconstruct(IMAGES, 5), "level"),
        (lambda e: e.infer_noise(IMAGES[0]), "images"),
    ],
)
def test_what_it_cannot_take_is_one_line(export, call, says):
    with pytest.raises(ValueError, match=says) as error:
        call(export)
    assert "\n" not in str(error.value)


def test_what_is_no_export_is_refused(tmp_path):
    folder = shutil.copytree(OLD / "export", tmp_path / "export")
    (folder / "assets" / "metadata.json").write_text("{")
    with pytest.raises(ExportedError, match="metadata.json cannot be read"):
        sgan_tf.load(folder)
    shutil.copy(OLD / "export" / "assets" / "metadata.json", folder / "assets")
    (folder / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(ExportedError, match="is damaged"):
        sgan_tf.load(folder)
    with pytest.raises(LoadError, match="`as_is`: is for run folders"):
        sgan_tf.load(OLD / "export", as_is=True)
