"""What a run's weights depend on besides its settings and images: libraries and hardware."""

import pathlib
import platform

from sgan_tf.utils.arithmetic import arithmetic

CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
LEAST_CAPABILITY = (8, 0)  # of a GPU with bfloat16 units


def versions() -> dict[str, str]:
    """Returns the versions of the libraries, the machine's kind, and how this process computes."""
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
    """Returns `["numpy 2.1.0 (now 2.2.0)", …]`: where two results of `versions` differ."""
    return [
        f"{name} {before.get(name, 'unknown')} (now {now.get(name, 'unknown')})"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]


def best_precision(cpuinfo: str = "/proc/cpuinfo") -> str:
    """Returns `"bfloat16"` where the hardware computes in it, else `"float32"`.

    That is on a GPU of compute capability 8 and above, and without a GPU on a CPU with avx512_bf16
    or amx_bf16: elsewhere bfloat16 is slower than float32.

    Args:
        cpuinfo: The file in which Linux lists the CPU's flags.
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
