"""A source that forwards each call to another server, such as TF Serving."""

import base64
import functools
import urllib.parse
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from sgan_tf.errors import first_line
from sgan_tf.server.refusal import HTTP, Refused
from sgan_tf.server.servable import Servable, Source, SourceError, Version
from sgan_tf.utils.address import is_loopback, server_url

TIMEOUT = 30.0  # seconds within which the other server must send something
MOST = 64 * 2**20  # largest size of an answer in bytes
PIECE = 2**16  # bytes that are read at a time


class Backend:
    """Calls TF Serving's REST interface of one model on another server.

    Args:
        url: String. URL of the server.
        name: String. Name of the model on that server.

    Attributes:
        url: String. URL of the model.

    Raises:
        SourceError: If the URL is not valid.
    """

    def __init__(self, url: str, name: str) -> None:
        try:
            whole, host = server_url(url)
        except ValueError as error:
            raise SourceError(f"`backend`: {error}") from error
        self.url = f"{whole}/v1/models/{urllib.parse.quote(name, safe='')}"
        self._here = is_loopback(host)

    def ask(self, path: str, body: bytes | None = None) -> dict:
        """Sends a request and returns the answer.

        Args:
            path: String. The part of the path after the model's name.
            body: Bytes or None. The body of a POST request. Defaults to None, a GET request.

        Returns:
            Dict. The JSON object that the server answers.

        Raises:
            Refused: If the server refuses the request, fails, cannot be reached or does not answer
                with a JSON object.
        """
        import requests

        method = "GET" if body is None else "POST"
        try:
            with requests.Session() as session:  # one per call, because threads must not share one
                session.trust_env = not self._here  # no proxy is used for this machine
                with session.request(
                    method,
                    f"{self.url}{path}",
                    data=body,
                    timeout=TIMEOUT,
                    stream=True,
                    allow_redirects=False,
                ) as answer:
                    return self._checked(answer.status_code, answer.iter_content(PIECE))
        except requests.RequestException as error:
            reason = type(error).__name__
            raise Refused("UNAVAILABLE", f"cannot reach {self.url} ({reason})") from error

    def _checked(self, status, pieces):
        content = bytearray()
        for piece in pieces:
            content += piece
            if len(content) > MOST:
                raise Refused("UNAVAILABLE", f"{self.url} answered more than {MOST} bytes")
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise Refused("UNAVAILABLE", f"{self.url} answered {status}, and no JSON")
        if status != 200:
            reason = str(answer.get("error", "no reason given"))
            for code, known in HTTP.items():
                if known == status < 500:
                    raise Refused(code, reason)
            raise Refused("UNAVAILABLE", f"{self.url} answered {status}: {reason}")
        return answer


class Function:
    """Calls a signature on another server, with the interface of TensorFlow's concrete functions.

    Args:
        backend: `Backend`. The other server.
        version: Integer. Version of the model.
        name: String. Name of the signature.
        inputs: Dict `{name: tf.TensorSpec}`. The signature's inputs.
        outputs: Dict `{name: tf.TensorSpec}`. The signature's outputs.
    """

    def __init__(
        self,
        backend: Backend,
        version: int,
        name: str,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
    ) -> None:
        self.structured_input_signature, self.structured_outputs = ((), dict(inputs)), outputs
        self._backend, self._name = backend, name
        self._path = f"/versions/{version}:predict"

    def __call__(self, **tensors: Any) -> dict:
        import tensorflow as tf

        from sgan_tf.server import tensors as json

        sent = {name: _plain(tensor) for name, tensor in tensors.items()}
        body = {"signature_name": self._name, "inputs": sent}
        packed = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        answer = self._backend.ask(self._path, packed).get("outputs")
        specs = self.structured_outputs
        if not isinstance(answer, dict):  # a single output has no name
            answer = dict.fromkeys(specs, answer)
        if set(answer) != set(specs):
            raise Refused("UNAVAILABLE", f"{self._backend.url} answered with other outputs")
        return {
            name: tf.constant(json.converted(name, spec, answer[name]))
            for name, spec in specs.items()
        }


def open_remote(url: str, name: str) -> Source:
    """Returns a source for a model on another server.

    Args:
        url: String. URL of the server's REST interface, for example `http://localhost:8501`.
        name: String. Name of the model on that server.

    Returns:
        `Source`. Its versions are those that the other server has available.

    Raises:
        SourceError: If the server cannot be reached, or has no such model.
    """
    backend = Backend(url, name)

    def versions():
        states = _known(backend, "")
        try:
            known = [(int(s["version"]), s["state"]) for s in states["model_version_status"]]
        except (LookupError, TypeError, ValueError) as error:
            raise SourceError(f"`backend`: {backend.url} is no model of TF Serving's") from error
        numbers = [number for number, state in known if state == "AVAILABLE"]
        return {
            number: Version(None, functools.partial(_load, backend, number)) for number in numbers
        }

    if not versions():
        raise SourceError(f"`name`: {backend.url} has no version that is served")
    return Source(name, versions)


def _load(backend, version):
    import tensorflow as tf
    from google.protobuf import json_format
    from tensorflow_serving.apis import get_model_metadata_pb2

    answer = _known(backend, f"/versions/{version}/metadata")
    known = get_model_metadata_pb2.SignatureDefMap()
    try:
        described = answer["metadata"]["signature_def"]
        json_format.ParseDict(described, known, ignore_unknown_fields=True)
    except (LookupError, TypeError, json_format.ParseError) as error:
        reason = first_line(error)
        raise SourceError(f"`backend`: {backend.url} has no metadata ({reason})") from error

    def specs(infos):
        return {
            name: tf.TensorSpec(tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype), name)
            for name, info in infos.items()
        }

    functions = {
        name: Function(backend, version, name, specs(found.inputs), specs(found.outputs))
        for name, found in known.signature_def.items()
        if not name.startswith("__saved_model")
    }
    return Servable(functions, owner=backend)


def _known(backend, path):
    try:
        return backend.ask(path)
    except Refused as refused:
        unknown = refused.code == "NOT_FOUND"
        raise SourceError(f"`{'name' if unknown else 'backend'}`: {refused.message}") from refused


def _plain(tensor):
    """Converts a tensor to a value that orjson can write; text becomes base64."""
    array = np.array(tensor.numpy(), object if tensor.dtype.name == "string" else None)
    if array.dtype == object:
        return _texts(array.tolist())
    return array.astype(np.float32) if array.dtype.kind in "Vf" else array


def _texts(value):
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return {"b64": base64.b64encode(value).decode()}
