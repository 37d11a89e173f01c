"""Runs contestants in separate processes: TensorFlow and PyTorch in one process may crash it."""

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable
from typing import Any

from measure import timed

from sgan_tf.cli.app import UsageError
from sgan_tf.errors import UserError, first_line

APART = {"tensorflow", "torch"}  # PyTorch's triton, imported after TensorFlow, crashes the process


class Contestant:
    """A process that prepares a function and calls it on request.

    It is a context manager: the process ends with the block.

    Args:
        name: String. The contestant's name in errors.
        make: Function that the process can import. It returns `(function, facts)`: the function to
            time, and a value for the parent process, which can be pickled.
        arguments: Arguments of `make`, which can be pickled.

    Attributes:
        name: String. The contestant's name in errors.
        facts: The value that `make` returned for the parent process.

    Raises:
        UsageError: If the process fails or dies, now or later. The message is one line.
    """

    def __init__(self, name: str, make: Callable, *arguments):
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_work, args=(end, make, arguments), daemon=True)
        self._process.start()
        end.close()
        self.facts: Any = self._answer()

    def timed(self, calls: int = 1, *arguments) -> float:
        """Times calls of the function in its process.

        Args:
            calls: Integer. Number of calls. Defaults to 1.
            arguments: Arguments of the function, which can be pickled.

        Returns:
            Float. Seconds per call, the mean of all calls.

        Raises:
            UsageError: If the process fails or has died.
        """
        with contextlib.suppress(OSError):  # if the process has died, `_answer` says how
            self._pipe.send((calls, arguments))
        return self._answer()

    def _answer(self):
        try:
            error, answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            raise UsageError(f"{self.name}: its process died ({self._how()})") from None
        if error is not None:
            raise UsageError(error if answer else f"{self.name}: {error}")
        return answer

    def _how(self):
        code = self._process.exitcode
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._pipe.close()
        self._process.join()


def _work(pipe, make, arguments):
    """Sends `(None, answer)` per request, or once `(message, whether the user caused it)`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends, and the pipe with it
    with contextlib.suppress(OSError):  # the parent has ended
        try:
            call, answer = make(*arguments)
            while True:
                if sys.modules.keys() >= APART:
                    raise ImportError(f"{' and '.join(sorted(APART))} are in one process")
                pipe.send((None, answer))
                try:
                    calls, inputs = pipe.recv()
                except EOFError:
                    return
                answer = timed(call, calls, *inputs)
        except UserError as error:
            pipe.send((error.for_flags(), True))
        except Exception as error:
            pipe.send((f"{type(error).__name__}: {first_line(error)}", False))
