"""What the machine computes in, out of what it says of itself, and what has changed since."""

import pytest
import tensorflow as tf

from sgan_tf.runs.environment import best_precision, changes


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


def test_what_differs_is_named_with_both_versions():
    before, now = {"keras": "3.15.0", "numpy": "2.1.0"}, {"keras": "3.15.0", "onednn": "on"}
    assert changes(before, now) == ["numpy 2.1.0 (now unknown)", "onednn unknown (now on)"]
    assert changes(now, now) == []
