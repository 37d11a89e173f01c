"""What tests of evaluations share: digits, their judge, and an evaluated run."""

import shutil

import pytest
from processes import EVALUATE, run

from sgan_tf.datasets import load_dataset
from sgan_tf.evaluation.reference import load_reference, make_reference


@pytest.fixture(scope="session")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="session")
def cache(digits, tmp_path_factory):
    """The folder of the digits' reference."""
    folder = tmp_path_factory.mktemp("cache")
    make_reference(folder, digits)
    return folder


@pytest.fixture(scope="session")
def reference(cache, digits):
    return load_reference(cache, digits.description())


@pytest.fixture(scope="session")
def evaluated(finished, cache, tmp_path_factory):
    """A copy of the finished run, evaluated; `(run folder, stdout)`."""
    run_dir = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(finished[0], run_dir)
    out, _ = run(EVALUATE, ["--run_dir", run_dir, "--samples", "500", "--cache_dir", cache])
    return run_dir, out
