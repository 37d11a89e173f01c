"""Computes requests in threads, so that the event loop only reads and writes."""

import asyncio
import collections
import contextlib
import functools
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from sgan_tf.server.model import Model, Ticket
from sgan_tf.server.refusal import Refused
from sgan_tf.server.signature import PART, Signature

THREADS = 64  # number of requests that are computed separately at a time
RUNS = 2  # number of shared runs at a time: one is parsed and answered while the other is computed


# A computation that may yield the `(signature, inputs)` to run, and is sent the outputs.
Steps: TypeAlias = Generator[tuple[Signature, Mapping[str, Any]], Mapping[str, Any], Any]


class RequestExecutor:
    """Computes requests, each within a time limit.

    Predictions that arrive while others run share the next run. TensorFlow's batching op needs one
    waiting thread per request, and Python's lock would pass between all of these threads and the
    event loop, so that small requests take three times as long.

    Args:
        model: `Model`. The model whose rows are counted.
        timeout: Float. Seconds after its arrival at which a request is refused.
    """

    def __init__(self, model: Model, timeout: float) -> None:
        self.timeout, self._rows = timeout, model.rows
        self._apart = ThreadPoolExecutor(THREADS, "request")
        self._shared = ThreadPoolExecutor(RUNS, "run")
        self._waiting: collections.deque[_Job] = collections.deque()

    async def run(self, compute: Callable[[Ticket], Any], *held: Ticket) -> Any:
        """Calls a function in a thread.

        A request that exceeds the time limit is refused, and not computed if that has not started.
        A computation that has started cannot be stopped, and counts as in progress until it ends.

        Args:
            compute: Function of the `Ticket` of the request's rows, which holds one row at first.
            *held: `Ticket`s. Other things that the request holds. All tickets are released when the
                computation has ended.

        Returns:
            The result of `compute`.

        Raises:
            Refused: If too many rows are in progress, the time limit is exceeded, or `compute`
                raises it.
        """

        def steps(rows):
            yield from ()  # it runs no signature
            return compute(rows)

        return await self._answer(steps, held, lambda job: _submit(self._apart, _alone, job))

    async def run_steps(self, steps: Callable[[Ticket], Steps], *held: Ticket) -> Any:
        """Runs a computation that may share its run of a signature with other requests.

        Args:
            steps: Generator function of the `Ticket` of the request's rows. It may yield
                `(signature, inputs)` once, and is sent the outputs.
            *held: `Ticket`s. See `run`.

        Returns:
            The return value of the generator.

        Raises:
            Refused: See `run`.
        """

        def submit(job):
            self._waiting.append(job)
            _submit(self._shared, self._next_run)

        return await self._answer(steps, held, submit)

    def close(self) -> None:
        """Waits for computations and ends the threads; call it after the event loop has ended."""
        self._shared.shutdown()
        self._apart.shutdown()

    async def _answer(self, steps, held, submit):
        try:
            rows = self._rows.ticket(1)
        except Refused:
            _release(held)
            raise
        job = _Job(steps(rows), rows, held)
        try:
            submit(job)
            async with asyncio.timeout(self.timeout):
                return await job.future
        except TimeoutError as error:
            raise Refused("DEADLINE_EXCEEDED", f"not computed within {self.timeout:g} s") from error
        finally:
            del job  # for the same reason as in `_Job.go_on`

    def _next_run(self):
        """Computes waiting requests of about `PART` rows, unless another thread has done so."""
        jobs, rows = [], 0
        while rows < PART:
            try:
                jobs.append(self._waiting.popleft())
            except IndexError:
                break
            jobs[-1].go_on()
            rows += jobs[-1].rows.count
        _end([job for job in jobs if not job.wanted])
        together = collections.defaultdict(list)
        for job in [job for job in jobs if job.wanted]:
            signature, inputs = job.wanted
            if signature.shares(inputs):
                together[signature].append(job)
            else:  # it would delay the others
                _submit(self._apart, _alone, job)
        for signature, sharing in together.items():
            for job, outputs in zip(sharing, signature.together([j.wanted[1] for j in sharing])):
                job.go_on(outputs)
            _end(sharing)


class _Job:
    """Holds a request in progress.

    Attributes:
        future: `asyncio.Future`. The answer, for the event loop in which the job is created.
        rows: `Ticket`. The request's rows.
        wanted: `(signature, inputs)` or None. The run whose outputs it needs to continue; None
            before and after.
    """

    def __init__(self, steps, rows, held):
        self.future = asyncio.get_running_loop().create_future()
        self.rows = rows
        self.wanted: Any = None
        self._steps, self._held, self._settle = steps, held, None

    def go_on(self, outputs=None):
        """Continues the computation with the outputs it needs, or with the error of the run."""
        self.wanted = None
        if self.future.cancelled():  # it was late
            return self._steps.close()
        resume = self._steps.throw if isinstance(outputs, Exception) else self._steps.send
        try:
            self.wanted = resume(outputs)
        except StopIteration as end:
            self._settle = functools.partial(self.future.set_result, end.value)
        except Exception as error:
            # Without this frame, which refers to the error: the cycle would keep requests alive.
            assert error.__traceback__ is not None
            error = error.with_traceback(error.__traceback__.tb_next)
            self._settle = functools.partial(self.future.set_exception, error)

    def release(self):
        """Releases all tickets of the request."""
        _release((self.rows, *self._held))

    def settle(self):
        """Sets the result of the future; runs in the event loop."""
        if self._settle and not self.future.done():
            self._settle()
        self._settle = None


def _submit(pool, function, *arguments):
    """Queues a call in the pool, even if no new thread can be started for it."""
    with contextlib.suppress(RuntimeError):
        pool.submit(function, *arguments)


def _alone(job):
    """Computes the rest of a request separately from others."""
    outputs = None
    if job.wanted and not job.future.cancelled():
        signature, inputs = job.wanted
        (outputs,) = signature.together([inputs])
    job.go_on(outputs)
    _end([job])


def _end(jobs):
    """Releases the tickets of requests and sets their results, waking the event loop once."""
    for job in jobs:
        job.release()
    if jobs:
        with contextlib.suppress(RuntimeError):  # the event loop has ended, so nobody waits
            jobs[0].future.get_loop().call_soon_threadsafe(lambda: [job.settle() for job in jobs])


def _release(tickets):
    for ticket in tickets:
        ticket.release()
