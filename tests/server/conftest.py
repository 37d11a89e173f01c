"""A server that the tests of one module share, and the model behind it."""

import pytest
import tensorflow as tf
from processes import ROOT
from served import served


@pytest.fixture(scope="module")
def server(old):
    with served(old, max_body=2**20) as running:
        yield running


@pytest.fixture(scope="session")
def signatures():
    """Those of the export that `server` serves, called in this process."""
    model = tf.saved_model.load(str(ROOT / "tests" / "fixtures" / "v0.1.0" / "export"))
    yield model.signatures
