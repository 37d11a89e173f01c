"""Threads in which requests are computed, so that the event loop only reads and writes."""

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

THREADS = 64  # requests that are computed apart from each other, at a time
RUNS = 2  # that requests share, at a time: some are parsed and answered while others are computed


# A computation that may yield the `(signature, inputs)` that it wants, and is sent the outputs.
Steps: TypeAlias = Generator[tuple[Signature, Mapping[str, Any]], Mapping[str, Any], Any]


class RequestExecutor:
    """Computes requests, each within a time.

    Predictions that arrive while others run share the next run. TensorFlow's op for that would have
    a thread wait for each request, and Python's lock pass between all of these and the event loop:
    small requests would take three times as long.

    Args:
        model: Whose rows are counted.
        timeout: Seconds from the time that it is there until it is refused.
    """

    def __init__(self, model: Model, timeout: float) -> None:
        self.timeout, self._rows = timeout, model.rows
        self._apart = ThreadPoolExecutor(THREADS, "request")
        self._shared = ThreadPoolExecutor(RUNS, "run")
        self._waiting: collections.deque[_Job] = collections.deque()

    async def run(self, compute: Callable[[Ticket], Any], *held: Ticket) -> Any:
        """Returns `compute(rows)`, called in a thread.

        A request that is late is refused, and not computed where that has not begun. What has begun
        cannot be stopped, and counts as under way until it ends.

        Args:
            compute: A function of the ticket of its rows, one at first.
            held: What else the request holds; all is released once the computation has ended.

        Raises:
            Refused: when too many rows are under way, when it is late, or as `compute` does.
        """

        def steps(rows):
            yield from ()  # it wants nothing of a signature
            return compute(rows)

        return await self._answer(steps, held, lambda job: _submit(self._apart, _alone, job))

    async def run_steps(self, steps: Callable[[Ticket], Steps], *held: Ticket) -> Any:
        """Does the same for a computation that may share its run of a signature with others.

        Args:
            steps: A generator function in place of `compute`. It may yield `(signature, inputs)`
                once, and is sent the outputs.
            held: As above.

        Raises:
            Refused: as above.
        """

        def submit(job):
            self._waiting.append(job)
            _submit(self._shared, self._next_run)

        return await self._answer(steps, held, submit)

    def close(self) -> None:
        """Ends the threads, once what runs has ended; call it when the event loop has."""
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
        """Computes what waits, about as many rows as a run has; others may have done it already."""
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
            else:  # it would keep others waiting
                _submit(self._apart, _alone, job)
        for signature, sharing in together.items():
            for job, outputs in zip(sharing, signature.together([j.wanted[1] for j in sharing])):
                job.go_on(outputs)
            _end(sharing)


class _Job:
    """A request under way.

    Attributes:
        future: Of its answer, for the event loop in which it is made.
        rows: The ticket of its rows.
        wanted: The `(signature, inputs)` whose outputs it needs to go on; None before and after.
    """

    def __init__(self, steps, rows, held):
        self.future = asyncio.get_running_loop().create_future()
        self.rows = rows
        self.wanted: Any = None
        self._steps, self._held, self._settle = steps, held, None

    def go_on(self, outputs=None):
        """Computes what comes next, given the outputs that were wanted, or why there are none."""
        self.wanted = None
        if self.future.cancelled():  # it was late
            return self._steps.close()
        resume = self._steps.throw if isinstance(outputs, Exception) else self._steps.send
        try:
            self.wanted = resume(outputs)
        except StopIteration as end:
            self._settle = functools.partial(self.future.set_result, end.value)
        except Exception as error:
            # Without this frame, which holds what holds the error: an error's frames hold requests.
            assert error.__traceback__ is not None
            error = error.with_traceback(error.__traceback__.tb_next)
            self._settle = functools.partial(self.future.set_exception, error)

    def release(self):
        """Lets go of what it holds."""
        _release((self.rows, *self._held))

    def settle(self):
        """Tells who waits for the answer; in the event loop."""
        if self._settle and not self.future.done():
            self._settle()
        self._settle = None


def _submit(pool, function, *arguments):
    """Has a call wait for a thread of the pool, where none can be started for it too."""
    with contextlib.suppress(RuntimeError):
        pool.submit(function, *arguments)


def _alone(job):
    """Computes a request to its end, from wherever it is."""
    outputs = None
    if job.wanted and not job.future.cancelled():
        signature, inputs = job.wanted
        (outputs,) = signature.together([inputs])
    job.go_on(outputs)
    _end([job])


def _end(jobs):
    """Lets go of what requests hold, and tells who waits for them: the event loop wakes once."""
    for job in jobs:
        job.release()
    if jobs:
        with contextlib.suppress(RuntimeError):  # the event loop has ended, and nobody waits
            jobs[0].future.get_loop().call_soon_threadsafe(lambda: [job.settle() for job in jobs])


def _release(tickets):
    for ticket in tickets:
        ticket.release()
