"""The digits, and a classifier of them in a file."""

import pytest
from classifiers import plain

import sgan_tf


@pytest.fixture(scope="module")
def digits():
    return sgan_tf.load_dataset("digits")


@pytest.fixture
def file(tmp_path):
    plain().save(tmp_path / "plain.keras")
    return tmp_path / "plain.keras"
