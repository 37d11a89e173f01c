"""Makes Ctrl-C end a program with one line, even while it imports modules."""

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def interrupted(*_: object) -> NoReturn:
    """Ends the process at once with one line and exit code 130. It is also a signal handler."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(Exception):
        os.write(sys.stderr.fileno(), b"interrupted\n")  # a print may be interrupted
    os._exit(130)  # a normal exit would wait for threads of TensorFlow


def unwind(number: int, frame: FrameType | None) -> NoReturn:
    """Handles SIGINT by raising KeyboardInterrupt. A second Ctrl-C ends the program at once.

    Args:
        number: Integer. Number of the signal.
        frame: Frame that was interrupted.

    Raises:
        KeyboardInterrupt: Always.
    """
    signal.signal(signal.SIGINT, interrupted)
    raise KeyboardInterrupt


def was_interrupted() -> bool:
    """Returns whether `unwind` was called, as libraries convert its exception to others."""
    return signal.getsignal(signal.SIGINT) is interrupted


def end_on_interrupt() -> None:
    """Makes Ctrl-C end this process with one line. A program calls this first.

    It changes nothing if SIGINT has a handler already or is ignored, as in a background job.
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
    """Catches Ctrl-C and SIGTERM. A second signal ends the process at once.

    Returns:
        List of integers, to which the first signal's number is added when it arrives.
    """
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(
            number, lambda got, frame: received.append(got) if not received else os._exit(128 + got)
        )
    return received
