"""Describes the libraries and hardware on which a run's weights depend."""

import pathlib
import platform

from sgan_tf.utils.arithmetic import arithmetic

CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
LEAST_CAPABILITY = (8, 0)  # least compute capability of a GPU with bfloat16 units


def versions() -> dict[str, str]:
    """Returns library versions, the machine type and the arithmetic settings.

    Returns:
        Dictionary of strings `{name: value}`.
    """
    import keras
    import numpy
    import tensorflow as tf

    import sgan_tf

    return {
        "sgan_tf": sgan_tf.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        **arithmetic(),
    }


def changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Lists the differences between two results of `versions`.

    Args:
        before: Dictionary of strings. The earlier result.
        now: Dictionary of strings. The later result.

    Returns:
        List of strings, such as `["numpy 2.1.0 (now 2.2.0)"]`.
    """
    return [
        f"{name} {before.get(name, 'unknown')} (now {now.get(name, 'unknown')})"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]


def best_precision(cpuinfo: str = "/proc/cpuinfo") -> str:
    """Returns the faster precision of this machine.

    This is `"bfloat16"` if every GPU has compute capability 8.0 or above, or if there is no GPU and
    the CPU has avx512_bf16 or amx_bf16. On other hardware bfloat16 is slower than float32.

    Args:
        cpuinfo: String. Path of the file in which Linux lists the CPU's flags. Defaults to
            `"/proc/cpuinfo"`.

    Returns:
        `"bfloat16"` or `"float32"`.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        capabilities = [d.get("compute_capability", (0, 0)) for d in details]
        return "bfloat16" if min(capabilities) >= LEAST_CAPABILITY else "float32"
    file = pathlib.Path(cpuinfo)
    lines = file.read_text().splitlines() if file.exists() else []
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    return "bfloat16" if CPU_FLAGS & set(flags) else "float32"
