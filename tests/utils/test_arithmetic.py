"""How TensorFlow is told to compute, and what is recorded of it."""

import os

import pytest
import tensorflow as tf

from sgan_tf.utils import arithmetic as module
from sgan_tf.utils.arithmetic import arithmetic, prefer_onednn, set_arithmetic


@pytest.mark.parametrize(
    ("before", "side", "after"), [(None, 32, "1"), ("0", 32, "0"), (None, 8, None), ("1", 8, "1")]
)
def test_onednn_is_on_for_all_but_tiny_images_or_as_the_environment_says(
    monkeypatch, before, side, after
):
    name = "TF_ENABLE_ONEDNN_OPTS"
    monkeypatch.setenv(name, before or "")
    if before is None:
        monkeypatch.delenv(name)
    prefer_onednn(side)
    assert os.environ.get(name) == after


def test_tensorflow_is_told_how_to_compute_and_what_matters_here_is_recorded(monkeypatch):
    told = []
    monkeypatch.setattr(module, "_settings", {})
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    experimental = tf.config.experimental
    monkeypatch.setattr(experimental, "enable_op_determinism", lambda: told.append("no races"))
    monkeypatch.setattr(experimental, "enable_tensor_float_32_execution", told.append)
    monkeypatch.setattr(tf.config.optimizer, "set_jit", told.append)
    assert arithmetic() == {"onednn": "off"}
    set_arithmetic(deterministic=False, tf32=False)
    set_arithmetic(jit=True)
    assert told == [False, False, "no races", True, "autoclustering"]
    assert arithmetic() == {"deterministic": "on", "onednn": "off"}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert arithmetic() == {"deterministic": "on", "tf32": "on", "jit": "on"}
