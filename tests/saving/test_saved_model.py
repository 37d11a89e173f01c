"""An export behind a stack's methods, against the run that it was made of."""

import shutil

import numpy as np
import pytest
from processes import ROOT

import sgan_tf
from sgan_tf.saving.load import LoadError
from sgan_tf.saving.saved_model import SavedModelError

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


def test_the_newest_version_is_taken(tmp_path, export):
    for version in ("2", "10"):
        shutil.copytree(OLD / "export", tmp_path / version)
    assert sgan_tf.load(tmp_path).path == tmp_path / "10"


@pytest.mark.parametrize(
    ("seed", "first", "message"),
    [
        (-1, 0, r"seed must be an integer in \[0, 2147483648\), not -1"),
        (2**31, 0, r"seed must be an integer in \[0, 2147483648\), not 2147483648"),
        (0, 2**32 - 1, r"first must be an integer in \[0, 4294967295\), not 4294967295"),
    ],
)
def test_seeds_that_would_repeat_images_are_refused(export, seed, first, message):
    with pytest.raises(ValueError, match=message):
        export.sample([1, 2], seed, first)


def test_the_last_images_of_a_seed(export):
    last = export.sample([3, 3], seed=2**31 - 1, first=2**32 - 2)
    np.testing.assert_allclose(
        last[1:], export.sample([3], seed=2**31 - 1, first=2**32 - 1), atol=1e-6
    )


def test_what_is_no_export_is_refused(tmp_path):
    folder = shutil.copytree(OLD / "export", tmp_path / "export")
    (folder / "assets" / "metadata.json").write_text("{")
    with pytest.raises(SavedModelError, match="metadata.json cannot be read"):
        sgan_tf.load(folder)
    shutil.copy(OLD / "export" / "assets" / "metadata.json", folder / "assets")
    (folder / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(SavedModelError, match="is damaged"):
        sgan_tf.load(folder)
    with pytest.raises(LoadError, match="`as_is`: is for run folders"):
        sgan_tf.load(OLD / "export", as_is=True)
