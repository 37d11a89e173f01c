"""One export, and what this process gets from it: other programs must get the same."""

import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT
from session import Model

from sgan_tf.server import model as serving
from sgan_tf.server.servable import open_source


@pytest.fixture(scope="session")
def model(exported):
    return Model(exported[0])


@pytest.fixture(scope="session")
def old():
    """A served model that needs no run: the export of version 0.1.0, as `sgan`."""
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
