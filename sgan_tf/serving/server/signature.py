"""A signature as it is called by a server: inputs checked, requests batched, errors in a line."""

import itertools
import logging
import re
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from sgan_tf.serving.server.refusal import HTTP, Refused, invalid

PART = 256  # most rows of a run; larger requests are split
LONGEST = 2**20  # rows in a queue
BATCH_THREADS = 2  # runs at a time
_numbers = itertools.count()
log = logging.getLogger(__name__)


class Signature:
    """A function of named arrays.

    Where rows are independent, requests that arrive while another runs share the next run. One that
    fails there is run again alone, so that a bad request does not fail its neighbours.

    Args:
        name: Of the signature.
        function: A concrete function of named tensors to named tensors.
        rows_apart: Whether a row of the outputs depends on that row of the inputs alone.
        max_batch: Most rows of a request.

    Attributes:
        inputs, outputs: `{name: tf.TensorSpec}`.
    """

    def __init__(self, name: str, function: Callable, rows_apart: bool, max_batch: int):
        self.name, self.max_batch, self._alone = name, max_batch, function
        self.inputs = dict(sorted(function.structured_input_signature[1].items()))
        self.outputs = dict(sorted(function.structured_outputs.items()))
        most = min(PART, max_batch)  # more rows than a request may have, the graph would refuse
        self._together = _batched(function, self.inputs, self.outputs, most) if rows_apart else None

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

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs it.

        Args:
            inputs: As `rows` has let them pass.

        Raises:
            Refused: when the graph refuses them, or fails.
        """
        tensors = {n: tf.constant(inputs[n], spec.dtype) for n, spec in self.inputs.items()}
        try:
            if self._together and 0 < self.rows(inputs) <= self.max_batch:
                try:
                    return _arrays(self._together(tensors))
                except tf.errors.InvalidArgumentError:
                    pass  # it may be another request's
            return _arrays(self._alone(**tensors))
        except tf.errors.OpError as error:
            raise _refused(error) from error


def _batched(function, inputs, outputs, most):
    """Returns `{name: tensor} -> {name: tensor}`, of which calls share runs, `most` rows each."""

    @tf.function(autograph=False, input_signature=_specs(inputs))
    def run(*tensors):
        results = function(**dict(zip(inputs, tensors)))
        return [results[name] for name in outputs]

    whole = run.get_concrete_function()

    @tf.function(autograph=False, input_signature=_specs(inputs))
    def call(*tensors):
        # What tf.nondifferentiable_batch_function makes, but for two names. It has threads of its
        # own for each function, which outlive it, and functions traced in scopes of one name get
        # one queue and run each other's requests. Here all share threads, each has its queue.
        results = tf.raw_ops.BatchFunction(
            f=whole,
            in_tensors=list(tensors),
            captured_tensors=whole.captured_inputs,
            Tout=[spec.dtype for spec in outputs.values()],
            shared_name=f"sgan_tf.serving.{most}",  # whoever makes it decides on its sizes
            batching_queue=str(next(_numbers)),
            num_batch_threads=BATCH_THREADS,
            batch_timeout_micros=0,  # no waiting: requests gather while the one before runs
            max_batch_size=LONGEST,
            allowed_batch_sizes=list(range(1, most + 1)),  # any, so that nothing is padded
            enable_large_batch_splitting=True,
            max_enqueued_batches=LONGEST,  # the rows under way are bounded before
        )
        return dict(zip(outputs, results))

    concrete = call.get_concrete_function()
    return lambda tensors: concrete(*(tensors[name] for name in inputs))


def _specs(inputs):
    return [tf.TensorSpec(spec.shape, spec.dtype) for spec in inputs.values()]


def _arrays(tensors):
    return {name: tensor.numpy() for name, tensor in tensors.items()}


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
