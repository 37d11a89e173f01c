"""A signature as the server calls it, with checks, shared runs and one-line errors."""

import contextlib
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sgan_tf.server.refusal import HTTP, Refused, invalid

PART = 256  # largest number of rows in a run; larger requests are split
log = logging.getLogger(__name__)


class Signature:
    """Calls a signature with named arrays.

    If rows are independent, several requests can share a run. If a shared run fails, its requests
    are run again in two halves, so that a bad request does not fail the others.

    Args:
        name: String. The signature's name.
        function: Concrete function that maps named tensors to named tensors.
        rows_apart: Boolean. Whether each row of the outputs depends only on the same row of the
            inputs.
        max_batch: Integer. Largest number of rows in one request.

    Attributes:
        inputs: Dict `{name: tf.TensorSpec}`. The inputs, sorted by name.
        outputs: Dict `{name: tf.TensorSpec}`. The outputs, sorted by name.
    """

    def __init__(self, name: str, function: Any, rows_apart: bool, max_batch: int) -> None:
        self.name, self.max_batch, self._function = name, max_batch, function
        self.inputs = dict(sorted(function.structured_input_signature[1].items()))
        self.outputs = dict(sorted(function.structured_outputs.items()))
        # The graph refuses more rows than a request may have.
        self._part = min(PART, max_batch)
        # Only rows of the same shape can be concatenated.
        self._rows_apart = rows_apart and all(
            spec.shape.rank and spec.shape[1:].is_fully_defined() for spec in self.inputs.values()
        )

    def rows(self, inputs: Mapping[str, np.ndarray | tf.TensorShape]) -> int:
        """Checks the names and shapes of a request's inputs, and counts its rows.

        Args:
            inputs: Dict `{name: array}`. Any objects with a `shape`.

        Returns:
            Integer. The number of rows; 1 if all inputs are scalars.

        Raises:
            Refused: If the names or shapes are not those of the signature.
        """
        if set(inputs) != set(self.inputs):
            extra, missing = set(inputs) - set(self.inputs), set(self.inputs) - set(inputs)
            raise invalid(
                f"input size does not match signature: {len(inputs)} != {len(self.inputs)}. "
                f"Sent extra: {{{', '.join(sorted(extra))}}}. "
                f"Missing but required: {{{', '.join(sorted(missing))}}}."
            )
        for name, spec in self.inputs.items():
            if not spec.shape.is_compatible_with(inputs[name].shape):
                expected, got = (_sides(shape) for shape in (spec.shape, inputs[name].shape))
                raise invalid(f"{name} must have the shape {expected}; got {got}")
        return max((x.shape[0] for x in inputs.values() if len(x.shape)), default=1)

    def shares(self, inputs: Mapping[str, np.ndarray]) -> bool:
        """Returns whether a request may share a run with others.

        Args:
            inputs: Dict `{name: np.ndarray}`. The inputs, checked by `rows`.
        """
        return self._rows_apart and 0 < _common_rows(inputs) <= self._part

    def together(
        self, requests: Sequence[Mapping[str, np.ndarray]]
    ) -> list[dict[str, np.ndarray] | Exception]:
        """Runs several requests together.

        Args:
            requests: Sequence of dicts `{name: np.ndarray}`. Inputs for which `shares` is true, or
                the inputs of a single request.

        Returns:
            List. The outputs of each request, a dict `{name: np.ndarray}`, or the exception that
            the request would raise.
        """
        if len(requests) == 1:
            return [self._outcome(requests[0])]
        # If the shared run fails, running halves shows which request fails, and why.
        with contextlib.suppress(Exception):
            whole = {name: np.concatenate([r[name] for r in requests]) for name in self.inputs}
            ends = np.cumsum([_common_rows(request) for request in requests])[:-1]
            outputs = [np.split(x, ends) for x in self._by_parts(whole).values()]
            return [dict(zip(self.outputs, rows)) for rows in zip(*outputs)]
        half = len(requests) // 2
        return [*self.together(requests[:half]), *self.together(requests[half:])]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one request.

        Args:
            inputs: Dict `{name: np.ndarray}`. The inputs, checked by `rows`.

        Returns:
            Dict `{name: np.ndarray}`. The outputs.

        Raises:
            Refused: If the graph refuses the inputs, or fails.
        """
        try:
            if self._rows_apart and self._part < _common_rows(inputs) <= self.max_batch:
                return self._by_parts(inputs)
            return self._run(inputs)
        except tf.errors.OpError as error:
            raise _refused(error) from error

    def _outcome(self, inputs):
        try:
            return self(inputs)
        except Exception as error:
            return error

    def _by_parts(self, inputs):
        """Runs any number of rows, at most `PART` at a time."""
        rows = _common_rows(inputs)
        parts = [
            self._run({name: x[first : first + self._part] for name, x in inputs.items()})
            for first in range(0, rows, self._part)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def _run(self, inputs):
        tensors = {n: tf.constant(inputs[n], spec.dtype) for n, spec in self.inputs.items()}
        return {name: tensor.numpy() for name, tensor in self._function(**tensors).items()}


def _common_rows(arrays):
    """Returns the number of rows if all arrays have the same, otherwise 0."""
    counts = {array.shape[:1] for array in arrays.values()}
    return counts.pop()[0] if len(counts) == 1 and () not in counts else 0


def _refused(error):
    """Turns a TensorFlow error into a refusal, without names of nodes and lines of code."""
    name = next((n for n in HTTP if getattr(tf.errors, n) == error.error_code), "INTERNAL")
    if name == "INTERNAL":
        log.error("%s", error.message)
        return Refused(name, "the model could not be run; the server's log says why")
    found = re.search(r"assertion failed: .*", error.message)
    text = found[0] if found else error.message.split("\n\t [[")[0].strip().splitlines()[-1]
    return Refused(name, text)


def _sides(shape):
    sides = tf.TensorShape(shape)
    if sides.rank is None:
        return "of any rank"
    return f"[{', '.join('N' if side is None else str(side) for side in sides)}]"
