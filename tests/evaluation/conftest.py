"""What tests of evaluations share: digits, their judge, and an evaluated run."""

import shutil

import pytest
from processes import EVALUATE, finish, start

from sgan_tf.data.datasets import load_dataset
from sgan_tf.evaluation.reference import load_reference, make_reference


@pytest.fixture(scope="session")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="session")
def cache(digits, once):
    """The folder of the digits' reference."""

    def fill(folder):
        make_reference(folder, digits)
        return ""

    return once("cache", fill)[0]


@pytest.fixture(scope="session")
def reference(cache, digits):
    return load_reference(cache, digits.description())


@pytest.fixture(scope="session")
def evaluated(finished, cache, once):
    """A copy of the finished run, evaluated; `(run folder, stdout)`."""

    def fill(folder):
        run_dir = shutil.copytree(finished[0], folder / "run")
        arguments = ["--run_dir", run_dir, "--samples", "500", "--cache_dir", cache]
        return finish(start(EVALUATE, arguments))[0]

    folder, out = once("evaluated", fill)
    return folder / "run", out
