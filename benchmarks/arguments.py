"""What the flags of several benchmarks may be; TensorFlow is imported last, if at all."""

import importlib.util
import os
import shutil
from collections.abc import Sequence

from sgan_tf.cli.app import UsageError
from sgan_tf.config.presets import PRESETS
from sgan_tf.config.validation import PRECISIONS
from sgan_tf.utils.hardware import best_precision


def check_presets(names: Sequence[str], known: Sequence[str] = tuple(PRESETS)) -> None:
    """Raises `UsageError` for a name of --presets that is not known."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"--presets: unknown preset '{unknown[0]}'; choose from {', '.join(known)}"
        )


def integers(flag: str, values: Sequence[str]) -> list[int]:
    """Returns the numbers of a flag that lists some; `UsageError` for what is none above 0."""
    wrong = [value for value in values if not value.isdecimal() or not int(value)]
    if wrong:
        raise UsageError(f"--{flag}: '{wrong[0]}' is not an integer above 0")
    return [int(value) for value in values]


def precisions(names: Sequence[str]) -> list[str]:
    """Returns what --precisions names; `auto` stands for those that the hardware computes in."""
    unknown = [name for name in names if name not in ("auto", *PRECISIONS)]
    if unknown:
        raise UsageError(
            f"--precisions: unknown precision '{unknown[0]}'; choose from auto, "
            f"{', '.join(PRECISIONS)}"
        )
    named = [["float32", best_precision()] if name == "auto" else [name] for name in names]
    return list(dict.fromkeys(sum(named, [])))


def require_torch(compiled: bool) -> None:
    """Raises `UsageError` where PyTorch is not installed, or what `torch.compile` needs."""
    if importlib.util.find_spec("torch") is None:
        raise UsageError("PyTorch is not installed; pip install .[bench]")
    compiler = os.environ.get("CXX", "g++")
    if compiled and not shutil.which(compiler):
        raise UsageError(f"--compile: torch.compile needs {compiler}; install it, or --nocompile")
