"""TF Serving's REST interface, with health checks and metrics, as a Starlette application.

POST /v1/models/NAME[/versions/N]:predict      GET /v1/models/NAME[/versions/N]
GET  /v1/models/NAME[/versions/N]/metadata     GET /healthz  /readyz  /metrics  /

If the server shows a page, `/` is that page (page.py).
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
    """Handles the requests of the REST interface.

    Args:
        model: `Model`. The served model.
        executor: `RequestExecutor`. It computes predictions.
        telemetry: `Telemetry`. Its metrics are shown at `/metrics`.
        limits: `Limits`. The limits on what clients send and leave unread.
    """

    def __init__(
        self, model: Model, executor: RequestExecutor, telemetry: Telemetry, limits: Limits
    ) -> None:
        self.model, self.executor, self.telemetry = model, executor, telemetry
        self.limits = limits

    def routes(self) -> list[Route]:
        """Returns the routes of the interface."""
        return [
            Route("/", self.index),
            Route("/healthz", self.health),
            Route("/readyz", self.ready),
            Route("/metrics", self.metrics),
            Route("/monitoring/prometheus/metrics", self.metrics),  # deploy/monitoring.config's
            Route("/v1/{rest:path}", self.dispatch, methods=["GET", "POST"]),
        ]

    async def dispatch(self, request: Request) -> Response:
        """Answers all paths of TF Serving's interface."""
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
        """Answers a request to run a signature.

        Args:
            request: Starlette request.
            name: String. The name of the model.
            version: Integer or None. The version of the model; None for the served version.
            verb: String. The method after the colon of the path; only `"predict"` is supported.

        Raises:
            Refused: If the request is not valid or exceeds a limit.
        """
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
        """Reads a small body, which counts towards the limits only while it is read.

        Args:
            request: Starlette request.
            most: Integer. Largest size of the body in bytes.

        Raises:
            Refused: If the body is too large, too late, compressed or incomplete.
        """
        held = self.limits.bodies.ticket()
        try:
            return await self._body(request, held, most)
        finally:
            held.release()

    async def _body(self, request, held, most):
        """Reads a body within the time limit of a request, and holds its bytes."""
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
        """Lists the paths of the server."""
        paths = [route.path for route in self.routes() if "{" not in route.path]
        predict = f"/v1/models/{self.model.name}:predict"
        return _json({"model": self.model.name, "paths": [*paths, predict]})

    async def health(self, request: Request) -> Response:
        """Answers as long as the process runs."""
        return _json({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Answers once a version is loaded and warmed up."""
        if self.model.current is None:
            raise Refused("UNAVAILABLE", "no version is loaded")
        return _json({"status": "ready", "version": self.model.current.number})

    async def metrics(self, request: Request) -> Response:
        """Returns the metrics in Prometheus's text format."""
        return Response(self.telemetry.metrics(), media_type="text/plain; version=0.0.4")


class Answer(Response):
    """Sends a prediction, which counts as in progress until the operating system has all of it.

    Args:
        content: Bytes. The JSON of the prediction.
        answers: `Bound`. The bytes of answers in progress.
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
            await send({"type": "http.response.body"})  # returns when the body has been sent
        finally:
            ticket.release()


def application(
    rest: Rest, local: bool, origins: Sequence[str], pages: Sequence[Route] = ()
) -> Starlette:
    """Returns the ASGI application.

    Args:
        rest: `Rest`. The handlers.
        local: Boolean. See `Guard`.
        origins: Sequence of strings. See `Guard`.
        pages: Sequence of routes. The pages for people, which take precedence over the routes of
            `rest`. Defaults to none.
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
    """Converts a message to TF Serving's JSON, which omits the types of packed messages."""
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
