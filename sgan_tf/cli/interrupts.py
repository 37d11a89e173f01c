"""Ctrl-C ends a program in one line, in the midst of its imports too."""

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def interrupted(*_: object) -> NoReturn:
    """Ends the process at once with one line and exit code 128 + SIGINT; a signal handler too."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(Exception):
        os.write(sys.stderr.fileno(), b"interrupted\n")  # a print may be what was interrupted
    os._exit(130)  # as threads of TensorFlow may be at work, which a usual end waits for


def unwind(number: int, frame: FrameType | None) -> NoReturn:
    """A handler of SIGINT: unwinds the program; a second Ctrl-C ends it at once."""
    signal.signal(signal.SIGINT, interrupted)
    raise KeyboardInterrupt


def was_interrupted() -> bool:
    """Tells whether `unwind` was called: libraries turn its KeyboardInterrupt into other errors."""
    return signal.getsignal(signal.SIGINT) is interrupted


def end_on_interrupt() -> None:
    """Makes Ctrl-C end this process in one line from now on: the first thing that a program does.

    It changes nothing where SIGINT has a handler already, or is ignored, as in a job.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    otherwise = sys.excepthook

    def uncaught(kind, error, trace):
        if was_interrupted():
            interrupted()
        otherwise(kind, error, trace)

    signal.signal(signal.SIGINT, unwind)
    sys.excepthook = uncaught


def stop_signals() -> list[int]:
    """Catches Ctrl-C and SIGTERM; returns the list to which the first is added.

    A second one ends the process at once.
    """
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(
            number, lambda got, frame: received.append(got) if not received else os._exit(128 + got)
        )
    return received
