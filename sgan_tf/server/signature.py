"""A signature as a server calls it: inputs checked, requests in one run, errors in a line."""

import contextlib
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sgan_tf.server.refusal import HTTP, Refused, invalid

PART = 256  # most rows of a run; larger requests are split
log = logging.getLogger(__name__)


class Signature:
    """A function of named arrays.

    Where rows are independent, requests can share a run. One that fails is run again by halves, so
    that a bad request does not fail its neighbours.

    Args:
        name: Of the signature.
        function: A concrete function of named tensors to named tensors.
        rows_apart: Whether a row of the outputs depends on that row of the inputs alone.
        max_batch: Most rows of a request.

    Attributes:
        inputs, outputs: `{name: tf.TensorSpec}`.
    """

    def __init__(self, name: str, function: Any, rows_apart: bool, max_batch: int) -> None:
        self.name, self.max_batch, self._function = name, max_batch, function
        self.inputs = dict(sorted(function.structured_input_signature[1].items()))
        self.outputs = dict(sorted(function.structured_outputs.items()))
        # More rows than a request may have, the graph would refuse.
        self._part = min(PART, max_batch)
        # Rows of one shape alone can be put together.
        self._rows_apart = rows_apart and all(
            spec.shape.rank and spec.shape[1:].is_fully_defined() for spec in self.inputs.values()
        )

    def rows(self, inputs: Mapping[str, np.ndarray | tf.TensorShape]) -> int:
        """Returns the rows of a request, whose names and shapes are checked.

        Args:
            inputs: `{name: anything with a shape}`.

        Raises:
            Refused: when they are not this signature's.
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
        """Whether a request, which `rows` has let pass, may be run together with others."""
        return self._rows_apart and 0 < _common_rows(inputs) <= self._part

    def together(
        self, requests: Sequence[Mapping[str, np.ndarray]]
    ) -> list[dict[str, np.ndarray] | Exception]:
        """Runs requests and returns the outputs of each, or the exception that it would raise.

        Args:
            requests: Inputs, as `shares` has let them pass; or any one's.
        """
        if len(requests) == 1:
            return [self._outcome(requests[0])]
        # Whose fault it is, and what is wrong, shows where it is run alone.
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
            inputs: As `rows` has let them pass.

        Raises:
            Refused: when the graph refuses them, or fails.
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
        """Runs any number of rows."""
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
    """The rows that all arrays have; 0 where they differ, or one has none."""
    counts = {array.shape[:1] for array in arrays.values()}
    return counts.pop()[0] if len(counts) == 1 and () not in counts else 0


def _refused(error):
    """The refusal for an error of TensorFlow: its sentence, without nodes and places in code."""
    name = next((n for n in HTTP if getattr(tf.errors, n) == error.error_code), "INTERNAL")
    if name == "INTERNAL":
        log.error("%s", error.message)
        return Refused(name, "the model could not be run; the server's log says why")
    found = re.search(r"assertion failed: .*", error.message)
    said = found[0] if found else error.message.split("\n\t [[")[0].strip().splitlines()[-1]
    return Refused(name, said)


def _sides(shape):
    sides = tf.TensorShape(shape)
    if sides.rank is None:
        return "of any rank"
    return f"[{', '.join('N' if side is None else str(side) for side in sides)}]"
