"""TF Serving's gRPC interface: `Predict`, `GetModelMetadata` and `GetModelStatus`.

gRPC reads the request of a unary call before it calls the handler. A call with a stream of requests
looks the same on the wire, so the handlers here are stream handlers, which read the request when
there is room for it. Its size is known only after it has been read.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from sgan_tf.server import messages
from sgan_tf.server.executor import RequestExecutor, Steps
from sgan_tf.server.limits import Limits
from sgan_tf.server.model import Model, Ticket
from sgan_tf.server.refusal import Refused, invalid
from sgan_tf.server.telemetry import Telemetry

CALLS = 512  # largest number of calls at a time
READS = 16  # largest number of requests that are read at a time; others wait
AGE = 3600  # seconds after which a connection must be opened again
MOST_SIDES = 254  # largest rank of a shape, as in TensorFlow
log = logging.getLogger(__name__)


class Rpc:
    """Handles the calls of the gRPC interface.

    Args:
        model: `Model`. The served model.
        executor: `RequestExecutor`. It computes predictions.
        telemetry: `Telemetry`. It logs the calls.
        limits: `Limits`. The limits on what clients send and leave unread. A tensor may have at
            most `limits.max_body` elements.
    """

    def __init__(
        self, model: Model, executor: RequestExecutor, telemetry: Telemetry, limits: Limits
    ) -> None:
        self.model, self.executor, self.telemetry = model, executor, telemetry
        self.limits, self._reads = limits, asyncio.Semaphore(READS)

    def server(self) -> grpc.aio.Server:
        """Returns a server without a port. It must be called while the event loop runs."""
        idle, patience = (int(1000 * s) for s in (self.limits.idle, self.executor.timeout))
        options = [
            ("grpc.max_receive_message_length", self.limits.max_body),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", CALLS),
            ("grpc.max_allowed_incoming_connections", self.limits.connections),  # others are closed
            ("grpc.so_reuseport", 0),  # otherwise a second server would share the port
            ("grpc.max_connection_idle_ms", idle),
            ("grpc.server_handshake_timeout_ms", idle),
            # Close connections of clients that have disconnected or do not read.
            ("grpc.keepalive_time_ms", idle),
            ("grpc.keepalive_timeout_ms", idle),
            ("grpc.max_connection_age_ms", 1000 * AGE),
            ("grpc.max_connection_age_grace_ms", 2 * patience),
        ]
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=CALLS)
        tables = {
            "PredictionService": {
                "Predict": (self.predict, predict_pb2.PredictRequest),
                "GetModelMetadata": (self.metadata, get_model_metadata_pb2.GetModelMetadataRequest),
            },
            "ModelService": {
                "GetModelStatus": (self.status, get_model_status_pb2.GetModelStatusRequest)
            },
        }
        for service, table in tables.items():
            path = f"tensorflow.serving.{service}"
            handlers = {
                name: grpc.stream_unary_rpc_method_handler(
                    self._answering(answer, kind, f"/{path}/{name}")
                )
                for name, (answer, kind) in table.items()
            }
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(path, handlers)])
        return server

    def _answering(self, answer: Callable, kind: Any, path: str) -> Callable:
        """Returns a handler of bytes that logs calls and turns refusals into gRPC codes."""

        def compute(content, ticket):
            try:
                request = kind.FromString(content)
            except DecodeError as error:
                raise invalid(f"the request is no {kind.__name__}") from error
            message, rows = yield from answer(request, ticket)
            return message.SerializeToString(), rows

        async def handle(requests, context):
            started, code, rows = time.perf_counter(), "CANCELLED", 0
            try:
                try:
                    content, held = await self._read(requests)
                    message, rows = await self.executor.run_steps(
                        lambda ticket: compute(content, ticket), held
                    )
                    sent = self.limits.answers.ticket(len(message))
                    context.add_done_callback(lambda _: sent.release())
                except Refused:
                    raise
                except Exception as error:
                    log.exception("a call failed")
                    raise Refused("INTERNAL", "internal error") from error
                code = "OK"
                return message
            except Refused as refused:
                code = refused.code
                return await context.abort(grpc.StatusCode[code], refused.message)
            finally:
                seconds = time.perf_counter() - started
                self.telemetry.request("grpc", "CALL", path, code, rows, seconds)

        return handle

    async def _read(self, requests: AsyncIterator[bytes]) -> tuple[bytes, Ticket]:
        """Returns a call's request, and the ticket that holds its bytes."""
        seconds, code = self.executor.timeout, "RESOURCE_EXHAUSTED"
        try:
            async with asyncio.timeout(seconds), self._reads:
                code = "DEADLINE_EXCEEDED"
                content = await anext(requests, None)
        except TimeoutError as error:
            raise Refused(code, f"the request could not be read within {seconds:g} s") from error
        if content is None:
            raise invalid("the call has no request")
        return content, self.limits.bodies.ticket(len(content))

    def predict(self, request: predict_pb2.PredictRequest, ticket: Ticket) -> Steps:
        """Runs a signature, in steps for `RequestExecutor.run_steps`.

        Args:
            request: `PredictRequest`.
            ticket: `Ticket`. The rows of the request.

        Returns:
            Generator that returns `(PredictResponse, rows)`, with the number of rows.

        Raises:
            Refused: If the request is not valid or exceeds a limit.
        """
        name, version = _model(request.model_spec)
        answer = predict_pb2.PredictResponse()
        with self.model.use(name, version) as loaded:
            signature = loaded.signature(request.model_spec.signature_name, "FAILED_PRECONDITION")
            wanted = list(request.output_filter) or list(signature.outputs)
            if len(set(wanted)) < len(wanted) or not set(wanted) <= set(signature.outputs):
                raise invalid(
                    f"output_filter must name outputs once; they are {', '.join(signature.outputs)}"
                )
            declared = {n: self._declared(n, proto) for n, proto in request.inputs.items()}
            rows = signature.rows(declared)
            ticket.hold(max(1, rows))
            inputs = {
                n: _array(n, proto, signature.inputs[n].dtype)
                for n, proto in request.inputs.items()
            }
            outputs = yield signature, inputs
            answer.model_spec.name, answer.model_spec.version.value = name, loaded.number
            answer.model_spec.signature_name = signature.name
        for output in wanted:
            dtype = signature.outputs[output].dtype
            answer.outputs[output].CopyFrom(
                tf.make_tensor_proto(outputs[output], dtype, outputs[output].shape)
            )
        return answer, rows

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, ticket: Ticket
    ) -> Steps:
        """Answers a request for metadata, in steps that run no signature.

        Args:
            request: `GetModelMetadataRequest`.
            ticket: `Ticket`. It is not used.

        Returns:
            Generator that returns `(GetModelMetadataResponse, 0)`.

        Raises:
            Refused: If the request is not valid, or the model or version is not served.
        """
        yield from ()
        if list(request.metadata_field) != ["signature_def"]:
            raise invalid("metadata_field must be signature_def")
        return messages.metadata(self.model, *_model(request.model_spec)), 0

    def status(self, request: get_model_status_pb2.GetModelStatusRequest, ticket: Ticket) -> Steps:
        """Answers a request for the status, in steps that run no signature.

        Args:
            request: `GetModelStatusRequest`.
            ticket: `Ticket`. It is not used.

        Returns:
            Generator that returns `(GetModelStatusResponse, 0)`.

        Raises:
            Refused: If the request is not valid, or the model or version is unknown.
        """
        yield from ()
        return messages.status(self.model, *_model(request.model_spec)), 0

    def _declared(self, name, proto):
        """Checks the declared shape before the tensor is made: few bytes can declare a huge one."""
        if len(proto.tensor_shape.dim) > MOST_SIDES:  # their product would take minutes to compute
            raise invalid(f"{name} has more than {MOST_SIDES} dimensions")
        sides = [side.size for side in proto.tensor_shape.dim]
        if proto.tensor_shape.unknown_rank or any(side < 0 for side in sides):
            raise invalid(f"{name} has no whole shape")
        elements = 1
        for side in sides:
            elements *= side
        if elements > self.limits.max_body:
            raise invalid(f"{name} has more than {self.limits.max_body} elements")
        return _Declared(tuple(sides))


class _Declared(NamedTuple):
    shape: tuple


def _model(spec):
    if spec.WhichOneof("version_choice") == "version_label":
        raise invalid(f"Unrecognized servable version label: {spec.version_label}")
    return spec.name, spec.version.value if spec.HasField("version") else None


def _array(name, proto, dtype):
    if proto.dtype != dtype.as_datatype_enum:
        raise invalid(f"{name} must be of type {dtype.name}")
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise invalid(f"{name} does not hold as many values as its shape says") from error
