"""Checks the flags that several benchmarks share, without importing TensorFlow first."""

import importlib.util
import os
import shutil
from collections.abc import Sequence

from sgan_tf.cli.app import UsageError
from sgan_tf.config.presets import PRESETS
from sgan_tf.config.validation import PRECISIONS
from sgan_tf.runs.environment import best_precision


def check_presets(names: Sequence[str], known: Sequence[str] = tuple(PRESETS)) -> None:
    """Checks the names in --presets.

    Args:
        names: List of strings. The names to check.
        known: List of strings. The allowed names. Defaults to all presets.

    Raises:
        UsageError: If a name is not allowed.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"--presets: unknown preset '{unknown[0]}'; choose from {', '.join(known)}"
        )


def integers(flag: str, values: Sequence[str]) -> list[int]:
    """Returns the integers in the value of a flag.

    Args:
        flag: String. The flag's name, for messages.
        values: List of strings.

    Returns:
        List of integers.

    Raises:
        UsageError: If a value is not an integer above 0.
    """
    wrong = [value for value in values if not value.isdecimal() or not int(value)]
    if wrong:
        raise UsageError(f"--{flag}: '{wrong[0]}' is not an integer above 0")
    return [int(value) for value in values]


def precisions(names: Sequence[str]) -> list[str]:
    """Returns the precisions in --precisions, each once.

    Args:
        names: List of strings. Precisions, or `auto` for float32 and the faster precision of this
            machine.

    Returns:
        List of strings.

    Raises:
        UsageError: If a name is not known.
    """
    unknown = [name for name in names if name not in ("auto", *PRECISIONS)]
    if unknown:
        raise UsageError(
            f"--precisions: unknown precision '{unknown[0]}'; choose from auto, "
            f"{', '.join(PRECISIONS)}"
        )
    named = [["float32", best_precision()] if name == "auto" else [name] for name in names]
    return list(dict.fromkeys(sum(named, [])))


def require_torch(compiled: bool) -> None:
    """Checks that PyTorch is installed.

    Args:
        compiled: Boolean. Whether to check for the C++ compiler that `torch.compile` needs too.

    Raises:
        UsageError: If something is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise UsageError("PyTorch is not installed; pip install .[bench]")
    compiler = os.environ.get("CXX", "g++")
    if compiled and not shutil.which(compiler):
        raise UsageError(f"--compile: torch.compile needs {compiler}; install it, or --nocompile")
