"""Clients for a served sampler, over REST or gRPC. REST does not import TensorFlow.

client = RestClient("http://localhost:8501")
labels = look_up(client, ["7", "cat"])  # or [only_label(client)] for a model without labels
pngs = sample(client, labels, seeds=[1, 2])
"""

import base64
import json
from collections.abc import Mapping, Sequence

from sgan_tf.data.folder import ONE_CLASS
from sgan_tf.errors import UserError
from sgan_tf.saving import signatures
from sgan_tf.utils.address import is_loopback, server_url

BATCH = 256  # rows per request
ATTEMPTS = 5
BACKOFF = 0.5  # seconds before the second retry; doubled with each further one


class ClientError(UserError):
    """Raised if a request fails. The message says what the server or the network answered."""


class RestClient:
    """Calls a model's signatures over TF Serving's REST API.

    If the server does not accept connections yet, or answers 503, the client repeats the request
    after increasing pauses. It uses the proxies of the environment, except for this machine.

    Args:
        url: String. URL of the server, for example `http://localhost:8501` or `localhost:8501`.
        model: String. The name under which the sampler is served. Defaults to `"sgan"`.
        timeout: Float. Time limit for one request in seconds. Defaults to 30.

    Raises:
        ClientError: If the URL is not valid.
    """

    def __init__(self, url: str, model: str = "sgan", timeout: float = 30.0) -> None:
        import requests
        from urllib3.util import Retry

        try:
            url, host = server_url(url)
        except ValueError as error:
            raise ClientError(f"`url`: {error}") from error
        self.url, self.timeout = f"{url}/v1/models/{model}:predict", timeout
        # A request that timed out is not repeated: the server may still be computing it.
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
        )  # otherwise a proxy would be used for this machine
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))

    def call(self, signature: str, inputs: Mapping[str, Sequence]) -> list:
        """Runs a signature with one output.

        Args:
            signature: String. The signature's name.
            inputs: Dict `{name: rows}`. The rows of each input, a list.

        Returns:
            List of the output's rows. Binary values are bytes.

        Raises:
            ClientError: If there is no answer, or the answer is an error.
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
    """Calls a model's signatures over TF Serving's gRPC API.

    It repeats requests that the server did not accept, as `RestClient` does.

    Args:
        address: String. Address of the server, for example `localhost:8500`.
        model: String. The name under which the sampler is served. Defaults to `"sgan"`.
        timeout: Float. Time limit for one request in seconds. Defaults to 30.

    Raises:
        ClientError: If the address is a URL, or gRPC is not installed.
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
        """Runs a signature with one output; see `RestClient.call`."""
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
    """Returns the label of each class.

    Args:
        client: `RestClient` or `GrpcClient`. The client to use.
        names: Sequence of strings. The names of the classes, or their numbers in [0, K).

    Returns:
        List of integers. The labels.

    Raises:
        ClientError: If the model has no such class, or there is no answer.
    """
    return client.call(signatures.LOOKUP, {signatures.CLASS_NAMES: list(names)})


def only_label(client: RestClient | GrpcClient) -> int:
    """Returns the single label of a model without labels.

    Args:
        client: `RestClient` or `GrpcClient`. The client to use.

    Returns:
        Integer. The label.

    Raises:
        ClientError: If the model has classes (the message names them), or there is no answer.
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
    """Samples one image per pair of a label and a seed.

    Args:
        client: `RestClient` or `GrpcClient`. The client to use.
        labels: List of N integers. The label of each image.
        seeds: List of N integers. The seed of each image, in [-2^63, 2^63).

    Returns:
        List of N bytes objects. Each is a PNG file.

    Raises:
        ClientError: If a seed is out of range, the server refuses a request, or there is no answer.
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
    """Checks that all seeds are int64.

    Args:
        seeds: Sequence of integers. The seeds.

    Raises:
        ClientError: If a seed is not in [-2^63, 2^63). The message names the first one.
    """
    for seed in seeds:
        if not -(2**63) <= seed < 2**63:
            raise ClientError(f"`seed`: {seed} is out of range; seeds lie in [-2^63, 2^63)")


def _reason(text):
    """Extracts the first line of a failed assertion's message."""
    lines = (
        str(text).rpartition("assertion failed: ")[2].strip() or "no reason given"
    ).splitlines()
    return lines[0].strip()
