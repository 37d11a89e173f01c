"""Middleware for every REST request: access checks, headers, the log, and error answers."""

import logging
import time
import urllib.parse
from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sgan_tf.server.refusal import Refused
from sgan_tf.server.telemetry import Telemetry
from sgan_tf.utils.address import is_loopback

log = logging.getLogger(__name__)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def refusal(refused: Refused) -> Response:
    """Returns the HTTP response for a refusal, with TF Serving's error body.

    Args:
        refused: `Refused`. The refusal.
    """
    more = {"Retry-After": str(refused.retry_after)} if refused.status in (429, 503) else {}
    # The unread rest of a body would be parsed as the next request.
    more |= {"Connection": "close"} if refused.status in (408, 413) else {}
    body = orjson.dumps({"error": refused.message})
    return Response(body, refused.status, more, "application/json")


class Guard:
    """Checks, logs and answers requests as ASGI middleware.

    Requests from pages of other origins are refused. A server that listens on a loopback address
    answers only for loopback host names, which prevents DNS rebinding. Requests from the allowed
    origins, and requests for their host names that a proxy passes on, are accepted.

    Args:
        app: ASGI application that answers the requests.
        telemetry: `Telemetry`. It logs the requests.
        local: Boolean. Whether the server listens on a loopback address.
        origins: Sequence of strings. Origins of other pages that may send requests, for example
            `https://example.org`; `*` allows all.
    """

    def __init__(
        self, app: ASGIApp, telemetry: Telemetry, local: bool, origins: Sequence[str]
    ) -> None:
        self.app, self.telemetry, self.local, self.origins = app, telemetry, local, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request, started = Request(scope), time.perf_counter()
        state = scope.setdefault("state", {})
        status = 499  # the client has disconnected

        async def headed(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                names = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in HEADERS.items()
                        if name.lower().encode() not in names
                    ),
                ]
            await send(message)

        try:
            self._admit(request)
            await self.app(scope, receive, headed)
        except Refused as refused:
            await refusal(refused)(scope, receive, headed)
        except Exception:
            log.exception("a request failed")
            if status == 499:
                await refusal(Refused("INTERNAL", "internal error"))(scope, receive, headed)
        finally:
            seconds = time.perf_counter() - started
            self.telemetry.request(
                "rest", request.method, scope["path"], status, state.get("rows", 0), seconds
            )

    def _admit(self, request):
        if "*" in self.origins:
            return
        host = request.headers.get("host", "")
        known = {urllib.parse.urlsplit(origin).netloc for origin in self.origins}
        if self.local and host and host not in known and not is_loopback(_hostname(host)):
            raise Refused("INVALID_ARGUMENT", "this server answers for localhost alone", 421)
        same = (None, f"http://{host}", f"https://{host}")
        if request.headers.get("origin") not in (*same, *self.origins):
            raise Refused("INVALID_ARGUMENT", "pages of other origins may not ask", 403)


def _hostname(host):
    try:
        return urllib.parse.urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
