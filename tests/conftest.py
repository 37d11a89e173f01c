"""Two logical CPU devices stand in for GPUs, and what tests share: stacks, a run, an export."""

import collections
import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the programs do
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # small models; the workers share the cores

import filelock
import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import EXPORT, ROOT, TRAIN, finish, start
from session import Model
from shared import DIGITS, SHORT

from sgan_tf.config.presets import make_config
from sgan_tf.models.build import build

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
gc.freeze()  # what is imported stays: no collection need look at it again


@pytest.fixture(scope="session")
def small_stack():
    """Builds a digits stack for a list of cuts.

    Returns `(config, stack, batch)`, the batch being `([h_0, …, h_{N-1}], labels)`.
    """

    def make(cuts=("fc3",), overrides=(), batch=8, preset="digits", precision="float32"):
        config = make_config("digits", preset, cuts=cuts, overrides=overrides, precision=precision)
        encoder, stack = build(config, (8, 8, 1), DIGITS)
        encoder.trainable = False
        rng = np.random.default_rng(0)
        images = rng.random((batch, 8, 8, 1), dtype=np.float32)
        labels = rng.integers(0, 10, batch).astype(np.int32)
        features = [h.numpy() for h in encoder.features(images)[:-1]]
        return config, stack, ([images, *features], labels)

    return make


@pytest.fixture
def sgd():
    return lambda: (keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))


def pytest_collection_modifyitems(items):
    """Files with many slow tests come first: short ones fill what time the workers have left."""
    slow = collections.Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Fills a folder once a session, whichever worker of pytest-xdist asks first.

    Returns `make(name, fill)`, which returns the folder and what `fill(folder)` returned, a string.
    Nobody changes what is in it.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name, fill):
        folder, returned = base / name, base / f"{name}.txt"
        with filelock.FileLock(base / f"{name}.lock"):
            if not returned.exists():
                folder.mkdir(exist_ok=True)
                returned.write_text(fill(folder))
        return folder, returned.read_text()

    return make


@pytest.fixture(scope="session")
def finished(once):
    """A run on digits of two epochs a stage, and what train.py printed: `(run folder, stdout)`."""

    def fill(folder):
        return finish(start(TRAIN, [*SHORT, "--run_dir", folder / "whole"]))[0]

    folder, out = once("runs", fill)
    return folder / "whole", out


@pytest.fixture(scope="session")
def exported(finished, once):
    """The export of the finished run, and what export.py printed: `(version's folder, stdout)`."""

    def fill(folder):
        return finish(start(EXPORT, ["--run_dir", finished[0], "--export_dir", folder]))[0]

    folder, out = once("exports", fill)
    return folder / "whole" / "1", out


# One export, and what this process gets from it: other programs must get the same.


@pytest.fixture(scope="session")
def model(exported):
    return Model(exported[0])


@pytest.fixture(scope="session")
def old():
    """A served model that needs no run: the export of version 0.1.0, as `sgan`."""
    from sgan_tf.server import model as serving
    from sgan_tf.server.servable import open_source

    served = serving.Model(open_source(ROOT / "tests" / "fixtures" / "v0.1.0" / "export"), "sgan")
    served.refresh()
    return served


@pytest.fixture(scope="session")
def inputs():
    """Ten rows for two signatures: `{signature: {input: array}}`."""
    rng = np.random.default_rng(0)
    z0, z1 = (rng.random((10, dim), dtype=np.float32) for dim in (8, 16))
    labels, seeds = np.arange(10) % 10, np.arange(10) * 1000 + 7
    return {
        "decode": {"labels": labels, "z0": z0, "z1": z1},
        "sample_seeded": {"labels": labels, "seeds": seeds},
    }


@pytest.fixture(scope="session")
def images(exported, inputs):
    """What this process gets from the export for `inputs`: `{signature: images}`."""
    signatures = tf.saved_model.load(str(exported[0])).signatures
    return {
        name: signatures[name](**{key: tf.constant(array) for key, array in arrays.items()})[
            "images"
        ].numpy()
        for name, arrays in inputs.items()
    }
