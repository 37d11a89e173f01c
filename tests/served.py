"""The real server in a thread of this process, and what a test may put before it."""

import asyncio
import contextlib
import io
import json
import threading
import time

import requests

from sgan_tf.server.server import Options, Server


@contextlib.contextmanager
def served(model, before=None, examiner=None, **options):
    """Serves a `Model` on free ports.

    Args:
        model: The `sgan_tf.server.model.Model`.
        before: A function from an ASGI application to one.
        examiner: Of the visual Turing test.
        options: Of `Options`.

    Yields the `Server`; its `lines` are those of the log.
    """
    stream = io.StringIO()
    server = Server(model, Options(**{"port": 0, "grpc_port": 0, **options}), stream, examiner)
    server.lines = lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    if before:
        server.app = before(server.app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.started.wait(60)
        yield server
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()


class Before:
    """ASGI middleware that notes what a server is sent, keeps it waiting, and is busy at first.

    Args:
        refusals: So many requests get 503.
        delay: An event to wait for, or None.

    Attributes:
        seen: The bodies of requests, as objects.
    """

    def __init__(self, refusals=0, delay=None):
        self.refusals, self.delay, self.seen = refusals, delay, []

    def __call__(self, app):
        async def answer(scope, receive, send):
            chunks, more = [], True
            while more:
                message = await receive()
                chunks.append(message.get("body", b""))
                more = message.get("more_body", False)
            body = b"".join(chunks)
            self.seen.append(json.loads(body) if body else None)
            while self.delay and not self.delay.is_set():
                await asyncio.sleep(0.01)
            if len(self.seen) <= self.refusals:
                return await self._busy(send)
            whole = iter([{"type": "http.request", "body": body, "more_body": False}])

            async def again():
                return next(whole, None) or await receive()

            await app(scope, again, send)

        return answer

    async def _busy(self, send):
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 503, "headers": head})
        await send({"type": "http.response.body", "body": b'{"error": "Server is busy"}'})


def post(server, body, path="/v1/models/sgan:predict", **headers):
    """Sends bytes, or an object as JSON, to a `Server`; returns the answer of `requests`."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(server.url + path, data, headers=headers, timeout=60)


def error(answer, status):
    """The reason that a refused request is given, which is all that it is given."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert list(body) == ["error"] and "Traceback" not in body["error"]
    return body["error"]


def until(true, seconds=60):
    """Waits until `true()` is."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
