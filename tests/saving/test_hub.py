"""Saved stacks on a double of the Hub, by the client's real code, in a process of its own."""

import os
import subprocess
import sys

import pytest
from hub_double import served
from processes import ROOT

USE = """
import sys
import numpy as np
import sgan_tf
from sgan_tf.saving.hub import HubError

stack = sgan_tf.load(sys.argv[1])
sgan_tf.save(stack, "hf://someone/digits", dtype="float32")
loaded = sgan_tf.load("hf://someone/digits")
np.testing.assert_array_equal(stack.sample([1, 2], seed=1), loaded.sample([1, 2], seed=1))
for address in ("hf://someone/nothing", "hf://digits"):
    try:
        sgan_tf.load(address)
    except HubError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_stack_is_uploaded_and_loaded_and_what_is_not_there_is_one_line(tmp_path):
    run = ROOT / "tests" / "fixtures" / "v0.1.0" / "run"
    with served() as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_TOKEN": "hf_none"}
        done = subprocess.run(
            [sys.executable, "-c", USE, str(run)],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    names = {"model.safetensors", "config.json", "metadata.json", "README.md"}
    assert set(hub.files["someone/digits"]) == names
    assert hub.files["someone/digits"]["README.md"].startswith(b"# digits\n")
    missing, malformed = done.stdout.strip().splitlines()
    assert missing.startswith("hf://someone/nothing cannot be fetched: there is no such repository")
    assert malformed == "hf://digits is not an address of the form hf://user/name"
