"""Imports TensorFlow quietly, with the right kernels and without packages that are not needed."""

import contextlib
import signal
import sys
from types import ModuleType

from sgan_tf.cli.interrupts import interrupted, unwind
from sgan_tf.cli.logs import quiet_stderr
from sgan_tf.utils.arithmetic import ONEDNN_SIDE, prefer_onednn


@contextlib.contextmanager
def _without(*names):
    """Hides packages that are not imported yet, as if they were not installed, for the block."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def import_tensorflow(side: int = ONEDNN_SIDE) -> ModuleType:
    """Imports TensorFlow with the messages of its C++ removed from stderr.

    If scikit-learn, SciPy, Matplotlib or IPython are installed, Keras imports them for features
    that this package does not use. This takes a third of a program's start, so they are hidden.

    Args:
        side: Integer. Side of the images, in pixels, which decides the kernels; see
            `prefer_onednn`. Defaults to `ONEDNN_SIDE`.

    Returns:
        The module `tensorflow`.
    """
    quiet_stderr()
    prefer_onednn(side)
    unwinding = signal.getsignal(signal.SIGINT) is unwind
    if unwinding:  # an exception in TensorFlow's C++ would abort the process
        signal.signal(signal.SIGINT, interrupted)
    try:
        with _without("sklearn", "scipy", "matplotlib", "IPython"):
            import keras  # noqa: F401
            import tensorflow as tf
    finally:
        if unwinding:
            signal.signal(signal.SIGINT, unwind)
    return tf
