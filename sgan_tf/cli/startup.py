"""TensorFlow's start: quiet, without packages that nobody needs, with the right kernels."""

import contextlib
import signal
import sys
from types import ModuleType

from sgan_tf.cli.interrupts import interrupted, unwind
from sgan_tf.cli.logs import quiet_stderr
from sgan_tf.utils.arithmetic import ONEDNN_SIDE, prefer_onednn


@contextlib.contextmanager
def _without(*names):
    """Packages that are not imported yet are as if they were not installed while it lasts."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def import_tensorflow(side: int = ONEDNN_SIDE) -> ModuleType:
    """Imports TensorFlow, with the kernels for images of that side, and returns it; its C++ quiet.

    Keras imports scikit-learn, SciPy, Matplotlib and IPython where they are installed, for what
    nothing here uses: a third of the time that a program needs to start.
    """
    quiet_stderr()
    prefer_onednn(side)
    unwinding = signal.getsignal(signal.SIGINT) is unwind
    if unwinding:  # an exception in its C++ would abort the process, and nothing is open yet
        signal.signal(signal.SIGINT, interrupted)
    try:
        with _without("sklearn", "scipy", "matplotlib", "IPython"):
            import keras  # noqa: F401
            import tensorflow as tf
    finally:
        if unwinding:
            signal.signal(signal.SIGINT, unwind)
    return tf
