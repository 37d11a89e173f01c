"""A double of TF Serving's REST and gRPC APIs, which really runs a SavedModel's session."""

import base64
import contextlib
import http.server
import json
import re
import threading
from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class Model:
    """A SavedModel in a session, as the server's loader makes it."""

    def __init__(self, path):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            self.signatures = tf.compat.v1.saved_model.load(
                self.session, ["serve"], str(path)
            ).signature_def

    def predict(self, signature, inputs):
        """Runs a signature on `{name: array}`; returns `{name: array}`."""
        definition = self.signatures[signature]
        if set(inputs) != set(definition.inputs):
            raise tf.errors.InvalidArgumentError(
                None,
                None,
                f"input size does not match signature: {set(inputs)} != {set(definition.inputs)}",
            )
        fetches = {name: info.name for name, info in definition.outputs.items()}
        return self.session.run(
            fetches, {definition.inputs[name].name: array for name, array in inputs.items()}
        )

    def array(self, signature, name, rows):
        return np.array(
            rows, tf.dtypes.as_dtype(self.signatures[signature].inputs[name].dtype).as_numpy_dtype
        )


@contextlib.contextmanager
def rest(model, name="sgan", refusals=0, delay=None, state="AVAILABLE"):
    """Serves a `Model` on a free port; the first `refusals` requests get 503.

    As TF Serving does, it tells the state of a version that is not available with 200, and knows
    metadata (here without their content) of an available one alone.

    Yields `(url, requests seen)`.
    """
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == f"/v1/models/{name}":
                self.answer(200, {"model_version_status": [{"version": "1", "state": state}]})
            elif self.path == f"/v1/models/{name}/metadata" and state == "AVAILABLE":
                self.answer(200, {"model_spec": {"name": name, "version": "1"}, "metadata": {}})
            else:
                self.answer(404, {"error": f"Servable not found for request: Latest({name})"})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(body)
            if delay is not None:
                delay.wait()
            match = re.fullmatch(r"/v1/models/([^/:]+):predict", self.path)
            if len(seen) <= refusals:
                self.answer(503, {"error": "Server is busy"})
            elif not match or match[1] != name:
                self.answer(404, {"error": "Could not find any versions of model"})
            else:
                self.predict(body)

        def predict(self, body):
            signature = body.get("signature_name", "serving_default")
            try:
                inputs = {
                    key: model.array(signature, key, rows) for key, rows in body["inputs"].items()
                }
                outputs = {
                    key: _plain(key, array)
                    for key, array in model.predict(signature, inputs).items()
                }
            except (tf.errors.InvalidArgumentError, ValueError) as error:
                return self.answer(400, {"error": getattr(error, "message", str(error))})
            self.answer(
                200, {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
            )

        def answer(self, code, body):
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(
                BrokenPipeError, ConnectionResetError
            ):  # a client that has given up
                self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def _plain(name, array):
    if name.endswith("_bytes"):  # the rule of the REST API
        return [{"b64": base64.b64encode(value).decode()} for value in array]
    return array.tolist()


@contextlib.contextmanager
def grpc_server(model, name="sgan"):
    """Serves a `Model` over gRPC on a free port; yields its address."""

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            if request.model_spec.name != name:
                context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request")
            try:
                outputs = model.predict(
                    request.model_spec.signature_name,
                    {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()},
                )
            except tf.errors.InvalidArgumentError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
            response = predict_pb2.PredictResponse()
            for key, array in outputs.items():
                response.outputs[key].CopyFrom(tf.make_tensor_proto(array))
            return response

    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None)
