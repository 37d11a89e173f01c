"""What the machine computes in, out of what it says of itself, and how it is told to compute."""

import os

import pytest
import tensorflow as tf

from sgan_tf.utils import hardware
from sgan_tf.utils.hardware import arithmetic, best_precision, prefer_onednn, set_arithmetic


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("fpu avx2 avx512_bf16 sse", "bfloat16"),
        ("fpu amx_bf16", "bfloat16"),
        ("fpu avx2 avx512f", "float32"),
        ("", "float32"),
    ],
)
def test_a_cpu_is_known_by_its_flags(tmp_path, flags, precision):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t:\n")
    assert best_precision(str(file)) == precision


def test_without_a_list_of_flags_it_is_float32(tmp_path):
    assert best_precision(str(tmp_path / "absent")) == "float32"


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [([(9, 0)], "bfloat16"), ([(7, 5)], "float32"), ([(8, 0), (7, 0)], "float32")],
)
def test_gpus_decide_where_there_are_any(monkeypatch, capabilities, precision):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    details = "get_device_details"
    monkeypatch.setattr(tf.config.experimental, details, lambda c: {"compute_capability": c})
    assert best_precision("/dev/null") == precision


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
    monkeypatch.setattr(hardware, "_chosen", {})
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
