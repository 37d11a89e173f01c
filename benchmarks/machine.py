"""Describes the machine on which the benchmarks run."""

import importlib.metadata
import os
import pathlib
import platform

from sgan_tf.runs.environment import best_precision

# The CPU flags that decide how fast matrices are multiplied.
FLAGS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni"),
    *("amx_tile", "amx_bf16", "asimd", "sve", "bf16"),
)
PACKAGES = ("sgan-tf", "tensorflow", "keras", "torch", "numpy")


def described() -> list[tuple[str, str]]:
    """Describes this machine. The result is the same at every call.

    Returns:
        List of tuples of strings `(property, value)`.
    """
    import tensorflow as tf

    cpu = _cpu()
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name") for gpu in gpus]
    precisions = ["float32"] + ["bfloat16"] * (best_precision() == "bfloat16")
    has = [flag for flag in FLAGS if flag in cpu.get("flags", cpu.get("Features", "")).split()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        ("CPU", cpu.get("model name") or platform.processor() or platform.machine()),
        ("cores", str(os.cpu_count())),
        ("of its flags", ", ".join(has) or "–"),
        ("GPUs", ", ".join(map(str, names)) or "none"),
        ("memory", f"{memory:.0f} GiB"),
        ("computes in", " and ".join(precisions)),
        ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
        ("packages", ", ".join(filter(None, map(_version, PACKAGES)))),
        ("oneDNN in TensorFlow", os.environ.get("TF_ENABLE_ONEDNN_OPTS", "its default")),
    ]


def _cpu():
    """Returns `{name: value}` of the first processor that Linux lists; empty on other systems."""
    file = pathlib.Path("/proc/cpuinfo")
    text = file.read_text() if file.exists() else ""
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _version(package):
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return ""
