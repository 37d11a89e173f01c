"""The programs. Ctrl-C ends each in one line, in the midst of its imports too."""

import contextlib
import os
import sys


def interrupted(*_):
    """Ends the process at once with one line and exit code 128 + SIGINT; a signal handler too."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(Exception):
        os.write(sys.stderr.fileno(), b"interrupted\n")  # a print may be what was interrupted
    os._exit(130)  # as threads of TensorFlow may be at work, which a usual end waits for


def _uncaught(kind, error, trace, otherwise=sys.excepthook):
    if issubclass(kind, KeyboardInterrupt):
        interrupted()
    otherwise(kind, error, trace)


sys.excepthook = _uncaught
