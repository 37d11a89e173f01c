"""Threads in which requests are computed, so that the event loop only reads and writes."""

import asyncio
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
        timeout: Seconds from a request's arrival until it is refused.
    """

    def __init__(self, model: Model, timeout: float):
        self.timeout, self._rows = timeout, model.rows
        self._pool = ThreadPoolExecutor(THREADS, "request")

    async def run(self, compute: Callable[[Ticket], Any]) -> Any:
        """Returns `compute(ticket)`, called in a thread.

        A request that is late is answered; what TensorFlow has begun cannot be stopped, and counts
        as under way until it ends.

        Raises:
            Refused: when too many rows are under way, when it is late, or as `compute` does.
        """
        ticket = self._rows.ticket()
        future = self._pool.submit(compute, ticket)
        future.add_done_callback(lambda _: ticket.release())
        try:
            async with asyncio.timeout(self.timeout):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise Refused("DEADLINE_EXCEEDED", f"not computed within {self.timeout:g} s") from error

    def close(self) -> None:
        """Ends the threads, once what runs has ended."""
        self._pool.shutdown(cancel_futures=True)
