"""What `--precision` asks for."""

from sgan_tf.cli import devices


def test_the_precision_auto_is_what_the_hardware_computes_in(monkeypatch):
    monkeypatch.setattr(devices, "import_tensorflow", lambda: None)
    for best in ("bfloat16", "float32"):
        monkeypatch.setattr(devices, "best_precision", lambda best=best: best)
        asked = [devices.precision(name) for name in ("auto", "float32", "bfloat16")]
        assert asked == [best, "float32", "bfloat16"]
