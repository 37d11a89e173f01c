"""A connection of the REST interface, which adds time and size limits to uvicorn's.

uvicorn only closes a connection that is idle after an answer, and not if a byte arrives. Without
these limits it would wait forever for the headers of a request and for a client that does not read,
accept headers of any length, and keep any number of connections that send no request.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sgan_tf.server.guard import refusal
from sgan_tf.server.refusal import Refused

HEADERS = 2**16  # largest size of a request's headers in bytes, without the first read
SPARE = 64  # connections beyond the limit that get an error answer; all others are closed


class Connection(HttpToolsProtocol):
    """Handles one connection; uvicorn creates one for each.

    The headers of a request must be complete `timeout_keep_alive` seconds after the connection was
    opened, or after the previous answer. The client must read an answer within `timeout` seconds.

    Args:
        *uvicorn: Arguments that uvicorn passes to its protocols.
        most: Integer. Largest number of connections that are served at a time.
        timeout: Float. Seconds within which the client must read an answer.
        on_unread: Function of a string. It is called with the reason when a client is disconnected
            because it did not read its answer.
        **named: Arguments that uvicorn passes to its protocols.
    """

    def __init__(
        self,
        *uvicorn: Any,
        most: int,
        timeout: float,
        on_unread: Callable[[str], None],
        **named: Any,
    ) -> None:
        super().__init__(*uvicorn, **named)
        self._most, self._timeout, self._on_unread = most, timeout, on_unread
        self._request_due: asyncio.TimerHandle | None = None
        self._reading_due: asyncio.TimerHandle | None = None
        self._header_bytes: int | None = None  # None between requests and in bodies

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # writing is paused while any byte is unsent
        if len(self.connections) > self._most + SPARE:
            return transport.abort()
        if len(self.connections) > self._most:
            busy = Refused("RESOURCE_EXHAUSTED", "Server is busy: too many connections")
            self.app = refusal(busy)
            self.app.headers["Connection"] = "close"
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._request_due, self._reading_due)
        super().connection_lost(exc)

    # Requests

    def data_received(self, data: bytes) -> None:
        if self._header_bytes is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if (self._header_bytes or 0) > HEADERS and not self.transport.is_closing():
            self.send_400_response("The headers are too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0

    def on_headers_complete(self) -> None:
        self._header_bytes = None
        _cancel(self._request_due)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # otherwise the next request has already arrived
            self._await_request()

    def _await_request(self):
        _cancel(self._request_due)
        self._request_due = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    # Answers

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading_due = self.loop.call_later(self._timeout, self._give_up)

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._reading_due)

    def _give_up(self):
        self._on_unread(f"an answer was not read within {self._timeout:g} s")
        self.transport.abort()


def _cancel(*timers):
    for timer in timers:
        if timer:
            timer.cancel()
