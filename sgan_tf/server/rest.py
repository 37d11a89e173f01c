"""TF Serving's REST interface, and what a server tells of itself, as a Starlette application.

POST /v1/models/NAME[/versions/N]:predict      GET /v1/models/NAME[/versions/N]
GET  /v1/models/NAME[/versions/N]/metadata     GET /healthz  /readyz  /metrics  /

Where the server shows a page, `/` is the page's (page.py).
"""

import asyncio
import re
from collections.abc import Sequence

import orjson
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sgan_tf.server import messages, tensors
from sgan_tf.server.executor import RequestExecutor
from sgan_tf.server.guard import Guard, refusal
from sgan_tf.server.limits import Limits
from sgan_tf.server.model import Bound, Model
from sgan_tf.server.refusal import Refused, invalid
from sgan_tf.server.telemetry import Telemetry

PREDICT = re.compile(r"/v1/models/([^/:]+)(?:/versions/([0-9]+))?:(classify|regress|predict)")
DESCRIBE = re.compile(r"/v1/models/([^/:]+)(?:/versions/([0-9]+))?(/metadata)?")


class Rest:
    """The interface's handlers.

    Args:
        model: What is served.
        executor: Where predictions are computed.
        telemetry: What `/metrics` shows.
        limits: Of what clients send, and leave unread.
    """

    def __init__(
        self, model: Model, executor: RequestExecutor, telemetry: Telemetry, limits: Limits
    ) -> None:
        self.model, self.executor, self.telemetry = model, executor, telemetry
        self.limits = limits

    def routes(self) -> list[Route]:
        """Returns the routes of the application."""
        return [
            Route("/", self.index),
            Route("/healthz", self.health),
            Route("/readyz", self.ready),
            Route("/metrics", self.metrics),
            Route("/monitoring/prometheus/metrics", self.metrics),  # deploy/monitoring.config's
            Route("/v1/{rest:path}", self.dispatch, methods=["GET", "POST"]),
        ]

    async def dispatch(self, request: Request) -> Response:
        """Answers all that TF Serving answers."""
        path = request.scope["path"]
        if request.method == "POST" and (found := PREDICT.fullmatch(path)):
            return await self.predict(request, found[1], _version(found[2]), found[3])
        if request.method != "POST" and (found := DESCRIBE.fullmatch(path)):
            answer = messages.metadata if found[3] else messages.status
            return _json(_described(answer(self.model, found[1], _version(found[2]))))
        raise invalid(f"Malformed request: {request.method} {path}")

    async def predict(
        self, request: Request, name: str, version: int | None, verb: str
    ) -> Response:
        """Runs a signature."""
        with self.model.use(name, version):  # an unknown model is refused before a body is read
            if verb != "predict":
                raise invalid(f"no signature of {name} has the method {verb}; use predict")
        held = self.limits.bodies.ticket()
        try:
            body = await self._body(request, held, self.limits.max_body)
        except BaseException:
            held.release()
            raise
        answer, rows = await self.executor.run_steps(
            lambda ticket: self._steps(name, version, body, ticket), held
        )
        request.state.rows = rows
        return Answer(answer, self.limits.answers)

    async def small_body(self, request: Request, most: int) -> bytearray:
        """Returns the body of a request, which is not counted any more: for small ones.

        Args:
            request: Whose body it is.
            most: Bytes of the body.

        Raises:
            Refused: when it is too large, too late, compressed or broken off.
        """
        held = self.limits.bodies.ticket()
        try:
            return await self._body(request, held, most)
        finally:
            held.release()

    async def _body(self, request, held, most):
        """Reads a body, whose bytes are held, within the time of a request."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refused("INVALID_ARGUMENT", "bodies must not be compressed", 415)
        declared, body = request.headers.get("content-length", ""), bytearray()
        size = int(declared) if declared.isdecimal() else 0
        try:
            async with asyncio.timeout(self.executor.timeout):
                async for chunk in request.stream():
                    body += chunk
                    if max(size, len(body)) > most:
                        shown = f"{most / 2**20:g} MiB" if most >= 2**20 else f"{most:,} bytes"
                        raise Refused("INVALID_ARGUMENT", f"a body has at most {shown}", 413)
                    held.hold(len(body))
        except TimeoutError as error:
            reason = f"the body did not come within {self.executor.timeout:g} s"
            raise Refused("DEADLINE_EXCEEDED", reason, 408) from error
        except ClientDisconnect as error:
            raise invalid("the client has gone") from error
        return body

    def _steps(self, name, version, body, ticket):
        with self.model.use(name, version) as loaded:
            asked = tensors.parsed(body)
            signature = loaded.signature(tensors.signature_name(asked), "INVALID_ARGUMENT")
            by_rows, inputs = tensors.arrays(asked, signature)
            rows = signature.rows(inputs)
            ticket.hold(max(1, rows))
            outputs = yield signature, inputs
            return tensors.answer(outputs, by_rows), rows

    async def index(self, request: Request) -> Response:
        """Says what is here."""
        paths = [route.path for route in self.routes() if "{" not in route.path]
        predict = f"/v1/models/{self.model.name}:predict"
        return _json({"model": self.model.name, "paths": [*paths, predict]})

    async def health(self, request: Request) -> Response:
        """Answers for as long as the process does."""
        return _json({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Answers once a version is loaded and warmed up."""
        if self.model.current is None:
            raise Refused("UNAVAILABLE", "no version is loaded")
        return _json({"status": "ready", "version": self.model.current.number})

    async def metrics(self, request: Request) -> Response:
        """Figures for Prometheus."""
        return Response(self.telemetry.metrics(), media_type="text/plain; version=0.0.4")


class Answer(Response):
    """A prediction in JSON, which is under way until the operating system has all of it.

    Args:
        content: The JSON.
        answers: The `Bound` of what is under way.
    """

    media_type = "application/json"

    def __init__(self, content: bytes, answers: Bound) -> None:
        super().__init__(content)
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ticket = self._answers.ticket(len(self.body))
        try:
            head = {"type": "http.response.start", "status": self.status_code}
            await send({**head, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            await send({"type": "http.response.body"})  # waits for what is before it
        finally:
            ticket.release()


def application(
    rest: Rest, local: bool, origins: Sequence[str], pages: Sequence[Route] = ()
) -> Starlette:
    """Returns the ASGI application.

    Args:
        rest: Its handlers.
        local, origins: See `Guard`.
        pages: Routes for people, which go before those of `rest`.
    """
    guard = Middleware(Guard, telemetry=rest.telemetry, local=local, origins=origins)
    cors = Middleware(
        CORSMiddleware, allow_origins=list(origins), allow_methods=["*"], allow_headers=["*"]
    )
    app = Starlette(
        routes=[*pages, *rest.routes()],
        middleware=[guard, cors] if origins else [guard],
        exception_handlers={
            HTTPException: _http_error,
            Refused: _refusal,
        },
    )
    app.router.redirect_slashes = False
    return app


def _version(text):
    if text is None:
        return None
    if len(text) > 19 or int(text) >= 2**63:
        raise invalid(f"Failed to convert version: {text} to numeric.")
    return int(text)


def _described(message):
    """A message as TF Serving's JSON, which has no types of what is packed in it."""
    plain = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for packed in plain.get("metadata", {}).values():
        del packed["@type"]
    return plain


def _json(body, status=200, headers=None):
    return Response(orjson.dumps(body), status, headers, "application/json")


async def _http_error(_, error):
    return _json({"error": error.detail}, error.status_code, error.headers)


async def _refusal(_, refused):
    return refusal(refused)
