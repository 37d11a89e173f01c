"""Threads in which requests are computed, so that the event loop only reads and writes."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sgan_tf.serving.server.model import Model, Ticket
from sgan_tf.serving.server.refusal import Refused

THREADS = 64  # a thread waits for its run, so this many requests can share one


class Workers:
    """Computes requests, each within a time.

    Args:
        model: Whose rows are counted.
        timeout: Seconds from the time that it is there until it is refused.
    """

    def __init__(self, model: Model, timeout: float):
        self.timeout, self._rows = timeout, model.rows
        self._pool = ThreadPoolExecutor(THREADS, "request")

    async def run(self, compute: Callable[[Ticket], Any], *held: Ticket) -> Any:
        """Returns `compute(rows)`, called in a thread.

        A request that is late is answered; what TensorFlow has begun cannot be stopped, and counts
        as under way until it ends.

        Args:
            compute: A function of the ticket of its rows, one at first.
            held: What else the request holds; all is released once the computation has ended.

        Raises:
            Refused: when too many rows are under way, when it is late, or as `compute` does.
        """
        with contextlib.ExitStack() as stack:
            for ticket in held:
                stack.callback(ticket.release)
            rows = self._rows.ticket(1)
            stack.callback(rows.release)
            future = self._pool.submit(compute, rows)
            ended = stack.pop_all()
        future.add_done_callback(lambda _: ended.close())
        try:
            async with asyncio.timeout(self.timeout):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise Refused("DEADLINE_EXCEEDED", f"not computed within {self.timeout:g} s") from error

    def close(self) -> None:
        """Ends the threads, once what runs has ended."""
        self._pool.shutdown(cancel_futures=True)
