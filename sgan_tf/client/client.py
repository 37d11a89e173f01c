"""Clients of a served sampler, over REST or gRPC; for REST no TensorFlow is imported.

client = RestClient("http://localhost:8501")
labels = look_up(client, ["7", "cat"])  # or [only_label(client)], of a model without labels
pngs = sample(client, labels, seeds=[1, 2])
"""

import base64
import json
from collections.abc import Mapping, Sequence

from sgan_tf.data.folder import ONE_CLASS
from sgan_tf.errors import UserError
from sgan_tf.saving import signatures
from sgan_tf.utils.address import is_loopback, server_url

BATCH = 256  # rows of a request
ATTEMPTS = 5
BACKOFF = 0.5  # seconds before the second retry; doubled with each


class ClientError(UserError):
    """A request that failed; the message says what the server, or the network, answered."""


class RestClient:
    """Calls a model's signatures over TF Serving's REST API.

    A server that is not there yet, or that answers 503, is asked again with growing pauses. The
    proxies of the environment are used, except for this machine itself.

    Args:
        url: Of the server, as `http://localhost:8501` or `localhost:8501`.
        model: The name under which the sampler is served.
        timeout: Seconds for one request.

    Raises:
        ClientError: when the URL is none of a server.
    """

    def __init__(self, url: str, model: str = "sgan", timeout: float = 30.0) -> None:
        import requests
        from urllib3.util import Retry

        try:
            url, host = server_url(url)
        except ValueError as error:
            raise ClientError(f"`url`: {error}") from error
        self.url, self.timeout = f"{url}/v1/models/{model}:predict", timeout
        # A request that timed out is not sent again: the server may be at work on it.
        retry = Retry(
            ATTEMPTS - 1,
            read=False,
            backoff_factor=BACKOFF,
            status_forcelist=[503],
            allowed_methods=None,
            raise_on_status=False,
        )
        self.session = requests.Session()
        self.session.trust_env = not is_loopback(
            host
        )  # else a proxy would be asked for this machine
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))

    def call(self, signature: str, inputs: Mapping[str, Sequence]) -> list:
        """Runs a signature with one output.

        Args:
            signature: Its name.
            inputs: `{name: list}`.

        Returns:
            The output's rows as a list; binary ones as bytes.

        Raises:
            ClientError: when there is no answer, or it is an error.
        """
        import requests

        try:
            answer = self.session.post(
                self.url, json={"signature_name": signature, "inputs": inputs}, timeout=self.timeout
            )
        except requests.Timeout as error:
            raise ClientError(
                f"`timeout`: {self.url} did not answer within {self.timeout:g} s"
            ) from error
        except requests.RequestException as error:
            raise ClientError(
                f"`url`: cannot reach {self.url} ({type(error).__name__}); is the server running "
                "there?"
            ) from error
        try:
            body = answer.json()
        except ValueError:
            body = {}
        if not isinstance(body, dict):
            body = {}
        if answer.status_code == 404:
            raise ClientError(
                f"`model`: nothing is served at {self.url}; name the model with `model`"
            )
        if not answer.ok or "outputs" not in body:
            raise ClientError(
                f"{self.url} answered {answer.status_code}: "
                f"{_reason(body.get('error', answer.reason))}"
            )
        return [
            base64.b64decode(row["b64"]) if isinstance(row, dict) else row
            for row in body["outputs"]
        ]


class GrpcClient:
    """Calls a model's signatures over TF Serving's gRPC API; asks again as `RestClient` does.

    Args:
        address: Of the server, as `localhost:8500`.
        model: The name under which the sampler is served.
        timeout: Seconds for one request.

    Raises:
        ClientError: when the address is a URL, or gRPC is not installed.
    """

    def __init__(self, address: str, model: str = "sgan", timeout: float = 30.0) -> None:
        if address.startswith(("http://", "https://")):
            raise ClientError(f"`grpc`: '{address}' is a URL; give host:port, as localhost:8500")
        try:
            import grpc
        except ImportError as error:
            raise ClientError("`grpc`: needs grpc; pip install sgan-tf[client]") from error
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        policy = {
            "maxAttempts": ATTEMPTS,
            "initialBackoff": f"{BACKOFF}s",
            "maxBackoff": "8s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
        }
        options = [
            (
                "grpc.service_config",
                json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]}),
            ),
            ("grpc.max_receive_message_length", -1),
            ("grpc.enable_http_proxy", int(not is_loopback(address.rpartition(":")[0]))),
        ]
        self.address, self.model, self.timeout = address, model, timeout
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(
            grpc.insecure_channel(address, options)
        )

    def call(self, signature: str, inputs: Mapping[str, Sequence]) -> list:
        """See `RestClient.call`."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = self.model, signature
        for name, rows in inputs.items():
            request.inputs[name].CopyFrom(
                tf.make_tensor_proto(rows, tf.string if isinstance(rows[0], str) else tf.int64)
            )
        try:
            answer = self.stub.Predict(request, timeout=self.timeout)
        except grpc.RpcError as error:
            raise ClientError(self._explained(error.code().name, error.details())) from error
        (output,) = answer.outputs.values()
        return tf.make_ndarray(output).tolist()

    def _explained(self, code, details):
        if code == "UNAVAILABLE":
            return f"cannot reach {self.address} over gRPC; is the server running there?"
        if code == "DEADLINE_EXCEEDED":
            return f"`timeout`: {self.address} did not answer within {self.timeout:g} s"
        if code == "NOT_FOUND":
            return (
                f"`model`: {self.address} does not serve '{self.model}'; name the model with "
                "`model`"
            )
        return f"{self.address} answered {code}: {_reason(details)}"


def look_up(client: RestClient | GrpcClient, names: Sequence[str]) -> list[int]:
    """Returns the integer label of each class name (or number).

    Raises:
        ClientError: when the model has no such class, or there is no answer.
    """
    return client.call(signatures.LOOKUP, {signatures.CLASS_NAMES: list(names)})


def only_label(client: RestClient | GrpcClient) -> int:
    """Returns the label that all images of a model without labels have.

    Raises:
        ClientError: when the model has classes, naming them, or there is no answer.
    """
    try:
        return look_up(client, [ONE_CLASS])[0]
    except ClientError as error:
        if "unknown class" not in str(error):
            raise
        classes = str(error).rpartition("; ")[2].rstrip("]")
        raise ClientError(f"`label`: name a class, or more; {classes}") from error


def sample(
    client: RestClient | GrpcClient, labels: Sequence[int], seeds: Sequence[int]
) -> list[bytes]:
    """Samples an image for each (label, seed).

    Args:
        client: A `RestClient` or `GrpcClient`.
        labels, seeds: Lists of integers of one length; seeds lie in [-2^63, 2^63).

    Returns:
        A list of bytes, a PNG file each.

    Raises:
        ClientError: when a seed is out of range, the server refuses something, or there is no
            answer.
    """
    check_seeds(seeds)
    return [
        png
        for start in range(0, len(labels), BATCH)
        for png in client.call(
            signatures.SAMPLE_PNG,
            {
                signatures.LABELS: labels[start : start + BATCH],
                signatures.SEEDS: seeds[start : start + BATCH],
            },
        )
    ]


def check_seeds(seeds: Sequence[int]) -> None:
    """Raises a `ClientError` that names the first seed which is no int64, as the model takes."""
    for seed in seeds:
        if not -(2**63) <= seed < 2**63:
            raise ClientError(f"`seed`: {seed} is out of range; seeds lie in [-2^63, 2^63)")


def _reason(text):
    """Takes the sentence out of a failed assertion's report."""
    lines = (
        str(text).rpartition("assertion failed: ")[2].strip() or "no reason given"
    ).splitlines()
    return lines[0].strip()
