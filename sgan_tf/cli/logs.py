"""The log, progress bars, and a stderr without the messages of TensorFlow's C++."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from logging.handlers import MemoryHandler

# Copies stdin to stdout, without the lines of TensorFlow's C++ that are not fatal errors. It ends
# after the last process that writes to it, so it loses nothing, however that process ends.
_PASS_ON = r"""
import re, signal, sys
for number in signal.SIGINT, signal.SIGTERM:
    signal.signal(number, signal.SIG_IGN)
chatter = re.compile(
    rb"([IWE]\d{4} [\d:.]+ +\d+ |\d{4}-\d\d-\d\d [\d:.]+ ?[IWE] )\S+\.(cc|cpp|cu|h|inc):\d+\] "
    rb"|WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|To enable the following instructions: .* rebuild TensorFlow "
    rb"|/job:\w+/replica:\d+/task:\d+\s*$"  # the second line of what workers report
)
for line in sys.stdin.buffer:
    if not chatter.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""
_filter = None  # the process of `quiet_stderr`


def quiet_stderr() -> None:
    """Removes the messages of TensorFlow's C++ from stderr, except for fatal errors.

    File descriptor 2 becomes a pipe to a process that passes on all other lines. This includes the
    lines of child processes. `sys.stderr` does not use the pipe. With TF_CPP_MIN_LOG_LEVEL=0 in the
    environment nothing is removed.
    """
    global _filter
    if _filter or sys.stderr is None or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        return
    sys.stderr.flush()
    direct = os.dup(2)
    source, sink = os.pipe()
    _filter = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PASS_ON],
        stdin=source,
        stdout=direct,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # out of reach of a terminal's Ctrl-C
    )
    os.dup2(sink, 2)
    os.close(source)
    os.close(sink)
    encoding, errors = sys.stderr.encoding, sys.stderr.errors
    sys.stderr = os.fdopen(direct, "w", buffering=1, encoding=encoding, errors=errors)


def start_log(path: str | os.PathLike | None = None) -> logging.Logger:
    """Sends the package's log to stdout and optionally to a file, which also gets debug messages.

    The file may be named in a later call. It then also gets what was logged since the first call.

    Args:
        path: String or path. The file, to which lines are appended. Defaults to None.

    Returns:
        `logging.Logger`.
    """
    log = logging.getLogger("sgan_tf")
    earlier = [handler for handler in log.handlers if isinstance(handler, MemoryHandler)]
    log.setLevel(logging.DEBUG)
    log.propagate = False
    console = _Console(sys.stdout)
    console.setLevel(logging.INFO)
    console.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [console]
    if path is None and not earlier:
        log.handlers.append(MemoryHandler(sys.maxsize, sys.maxsize))
    if path is not None:
        to_file = logging.FileHandler(path)
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.handlers.insert(0, to_file)
        for handler in earlier:
            handler.setTarget(to_file)
            handler.flush()
    return log


class _Console(logging.StreamHandler):
    """Writes log lines above the progress bar, if one is shown."""

    def emit(self, record):
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=self.stream)
            self.flush()
        except Exception:
            self.handleError(record)


def progress(what: str) -> Callable[[Iterable], Iterable]:
    """Returns a function that wraps an iterable in a progress bar, if stderr is a terminal.

    Args:
        what: String. Description of the bar.

    Returns:
        Function of an iterable that returns an iterable.
    """
    from tqdm import tqdm

    return lambda blocks: tqdm(blocks, desc=what, leave=False, disable=not sys.stderr.isatty())
