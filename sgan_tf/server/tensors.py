"""Converts the JSON of TF Serving's REST interface to arrays and back, by rows and by columns.

https://www.tensorflow.org/tfx/serving/api_rest describes both formats. JSON is strict: NaN and
Infinity are refused in requests, and become null in answers.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from sgan_tf.server.refusal import Refused, invalid
from sgan_tf.server.signature import Signature

DEEPEST = 32  # largest number of dimensions
JSON_NAMES = {
    int: "a number",
    float: "a number with a fraction",
    bool: "a boolean",
    str: "a string",
    dict: "an object",
    type(None): "null",
}


def parsed(body: bytes) -> dict:
    """Parses the body of a request.

    Args:
        body: Bytes. The body, a JSON object.

    Returns:
        Dict. The object.

    Raises:
        Refused: If the body is not JSON, or not an object.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict):
        raise invalid("the request is no JSON object")
    return request


def signature_name(request: Mapping) -> str:
    """Returns the name of the requested signature.

    Args:
        request: Mapping. The request that `parsed` returned.

    Returns:
        String. The name; empty for the default signature.

    Raises:
        Refused: If the name is not a string.
    """
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid("'signature_name' must be a string")
    return name


def arrays(request: Mapping, signature: Signature) -> tuple[bool, dict[str, np.ndarray]]:
    """Returns the inputs of a request as arrays.

    Args:
        request: Mapping. The request that `parsed` returned.
        signature: `Signature`. The requested signature.

    Returns:
        `(by_rows, inputs)`: a Boolean, whether the request lists instances, and a dict
        `{name: np.ndarray}`. Shapes and missing names are not checked.

    Raises:
        Refused: If the request is malformed, or a value does not have the input's type.
    """
    by_rows = "instances" in request
    if by_rows == ("inputs" in request):
        raise invalid("give one of 'instances' and 'inputs'")
    columns = _columns(request["instances"], signature) if by_rows else request["inputs"]
    if not _named(columns):
        if len(signature.inputs) != 1:
            names = ", ".join(signature.inputs)
            raise invalid(f"'inputs' must be an object of {names}, as there are several")
        columns = {next(iter(signature.inputs)): columns}
    known = {
        n: converted(n, signature.inputs[n], v) for n, v in columns.items() if n in signature.inputs
    }
    if len(known) < len(columns):  # `rows` raises an error that names them
        signature.rows({name: known.get(name, np.zeros(0)) for name in columns})
    return by_rows, known


def _named(value):
    return isinstance(value, dict) and set(value) != {"b64"}


def _columns(rows, signature):
    if not isinstance(rows, list):
        raise invalid("'instances' must be a list")
    named = [_named(row) for row in rows]
    if not any(named):
        if len(signature.inputs) > 1 and rows:
            names = ", ".join(signature.inputs)
            raise invalid(f"each of 'instances' must be an object of {names}")
        return dict.fromkeys(signature.inputs, rows)
    if not all(named) or any(row.keys() != rows[0].keys() for row in rows):
        raise invalid("all 'instances' must have the same names")
    return {name: [row[name] for row in rows] for name in rows[0]}


def converted(name: str, spec: tf.TensorSpec, value: Any) -> np.ndarray:
    """Converts a JSON value to an array. Its shape is not checked.

    Args:
        name: String. The name of the tensor, for error messages.
        spec: `tf.TensorSpec`. It gives the data type.
        value: Nested lists of numbers, Booleans or strings. `{"b64": …}` represents bytes.

    Returns:
        `np.ndarray`. The array; strings become an object array of bytes.

    Raises:
        Refused: If a value does not have that type.
    """
    array = np.array(value, dtype=object)
    if array.ndim > DEEPEST:
        raise invalid(f"{name}: lists are nested too deeply")
    kinds = set(map(type, array.flat))
    if list in kinds:
        raise invalid(f"{name}: lists beside each other must have the same lengths")
    dtype = spec.dtype
    good, convert = _conversion(dtype)
    wrong = sorted(JSON_NAMES[kind] for kind in kinds - good)
    if wrong:
        raise invalid(f"{name} must be of type {dtype.name}; got {wrong[0]}")
    try:
        return convert(array, dtype.as_numpy_dtype)
    except (OverflowError, ValueError) as error:
        raise invalid(f"{name}: a value is no {dtype.name}") from error


def _conversion(dtype):
    if dtype == tf.string:
        return {str, dict}, lambda array, _: _strings(array)
    if dtype == tf.bool:
        return {bool}, lambda array, numpy: array.astype(numpy)
    return ({int}, _integers) if dtype.is_integer else ({int, float}, _floats)


def _integers(array, dtype):
    limits = np.iinfo(dtype)
    if array.size and not (limits.min <= array.min() and array.max() <= limits.max):
        raise OverflowError
    return array.astype(dtype)


def _floats(array, dtype):
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float64).astype(dtype)
    if not np.isfinite(numbers.astype(np.float64)).all():
        raise OverflowError
    return numbers


def _strings(array):
    texts = np.empty(array.shape, dtype=object)
    for place, value in np.ndenumerate(array):
        texts[place] = _text(value)
    return texts


def _text(value):
    if isinstance(value, str):
        return value.encode()
    if set(value) != {"b64"} or not isinstance(value["b64"], str):
        raise ValueError
    try:
        return base64.b64decode(value["b64"], validate=True)
    except binascii.Error as error:
        raise ValueError from error


def answer(outputs: Mapping[str, np.ndarray], by_rows: bool) -> bytes:
    """Returns the body of an answer, in the format of the request.

    Args:
        outputs: Dict `{name: np.ndarray}`. The outputs of the signature.
        by_rows: Boolean. Whether the request listed instances.

    Returns:
        Bytes. A JSON object.

    Raises:
        Refused: If `by_rows` is set and the outputs differ in their number of rows, or if text is
            not UTF-8.
    """
    plain = {name: _plain(name, array) for name, array in outputs.items()}
    counts = {array.shape[:1] for array in outputs.values()}
    if not by_rows:
        body = {"outputs": next(iter(plain.values())) if len(plain) == 1 else plain}
    elif len(counts) != 1 or () in counts:
        raise invalid("the outputs differ in their number of rows; ask by 'inputs'")
    elif len(plain) == 1:
        body = {"predictions": next(iter(plain.values()))}
    else:
        body = {"predictions": [dict(zip(plain, row)) for row in zip(*plain.values())]}
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(name, array):
    if array.dtype == object:
        return _texts(array.tolist(), name)
    if not array.ndim:
        return array.item()
    if array.dtype.kind == "V" or array.dtype.name in ("bfloat16", "float16"):
        array = array.astype(np.float32)
    return np.ascontiguousarray(array)


def _texts(value, name):
    if isinstance(value, list):
        return [_texts(item, name) for item in value]
    if name.endswith("_bytes"):  # a rule of the REST interface
        return {"b64": base64.b64encode(value).decode()}
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Refused(
            "INTERNAL", f"the output {name} is not UTF-8; a model names such outputs …_bytes"
        ) from error
