"""A classifier's graph of operations, and where it can be cut into stages."""

import difflib
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from sgan_tf.config.validation import ConfigError
from sgan_tf.errors import first_line
from sgan_tf.models.cost import operation_flop
from sgan_tf.models.keras_internals import run_operations

PROBABILITIES = ("softmax", "sigmoid")
LEAST_PROBABILITY = 1e-7  # smaller probabilities are raised to it before the logarithm
# Names of Keras operations, and the output activation of a generator that imitates their outputs.
GIVEN = {
    **dict.fromkeys(("relu", "relu6", "softplus"), "relu"),
    **dict.fromkeys(("sigmoid", "hardsigmoid", "softmax"), "sigmoid"),
    **dict.fromkeys(("tanh", "hardtanh", "softsign"), "tanh"),
    **dict.fromkeys(("linear", "elu", "selu", "celu", "gelu", "silu", "mish"), "linear"),
    **dict.fromkeys(("leakyrelu", "prelu"), "linear"),
}
PASSING = {  # operations that do not change the range of values
    *("maxpooling2d", "globalmaxpooling2d", "maxpool", "max"),
    *("averagepooling2d", "globalaveragepooling2d", "averagepool", "mean"),
    *("flatten", "reshape", "permute", "transpose", "identity", "cropping2d", "zeropadding2d"),
    *("dropout", "spatialdropout2d", "gaussiandropout", "gaussiannoise"),
}
# Errors that Keras and users' layers raise when they are called on unsuitable inputs.
REFUSALS = (ValueError, TypeError, AttributeError, NotImplementedError, RuntimeError)


class ClassifierError(ConfigError):
    """An error for a classifier that cannot be inverted; the message says why."""


class Cut(NamedTuple):
    """A place where a classifier can be cut: every path from input to output passes it."""

    name: str  # name of the layer or operation; inside a nested model `model/layer`
    shape: tuple  # output shape, without the batch dimension
    below: int  # forward FLOP per image up to and including the layer
    above: int  # forward FLOP per image above the layer


class Part(NamedTuple):
    """A stage of a classifier that is cut."""

    end: str  # name of the layer at its upper end; `logits` for the last stage
    activation: str | None  # activation of its output, a value of `GIVEN`; None if unknown
    model: keras.Model


class _Point(NamedTuple):
    """One call of an operation; the graph keeps these in the order of the calls."""

    name: str
    operation: keras.Operation | None  # None: the input, and the logits
    arguments: tuple  # (positional, named)
    output: keras.KerasTensor
    sources: tuple  # indices of the points whose outputs it takes


class ClassifierGraph:
    """The operations of a Keras classifier from its images to its logits, nested models opened.

    The graph uses the model's own layers with their weights, and does not change them. It uses a
    copy of a layer whose name is already taken, and of a last layer that contains a softmax.

    Args:
        model: Keras model. It must be built and have one input and one output `[N, K]`. It is
            functional, Sequential, or a subclass whose `call` Keras can trace.
        input_shape: Tuple of integers. The shape of its input, without the batch dimension.

    Attributes:
        num_classes: Integer. K, the number of classes.

    Raises:
        ClassifierError: If the model cannot be run operation by operation, or its output is not
            `[N, K]`.
    """

    def __init__(self, model: keras.Model, input_shape: Sequence[int]) -> None:
        images = keras.Input(input_shape)
        self._points = [_Point("input", None, (), images, ())]
        self._places = {id(images): 0}  # index of the point that produced each tensor
        self._names: dict = {}
        self._operations: dict = {}
        try:
            output = self._through(_opened(model, [images]), [images], "")
        except REFUSALS as error:
            size = " x ".join(map(str, input_shape))
            raise ClassifierError(
                f"the classifier cannot be run layer by layer on images of {size} ({brief(error)})"
            ) from error
        single = isinstance(output, keras.KerasTensor)
        if not single or len(output.shape) != 2:
            found = output.shape[1:] if single else "several tensors"
            raise ClassifierError(
                f"the classifier's output is {found}; it should be (K,), a number for each class"
            )
        logits, sources = self._without_softmax(self._points[self._places[id(output)]])
        self._points.append(_Point("logits", None, (), logits, sources))
        self.num_classes = logits.shape[-1]
        self._separators = self._separating()

    def candidates(self) -> list[Cut]:
        """Returns the places where the classifier can be cut, a list of `Cut`, bottom up."""
        below = list(itertools.accumulate(map(self._flop, self._points)))
        return [
            Cut(
                self._points[i].name,
                tuple(self._points[i].output.shape[1:]),
                below[i],
                below[-1] - below[i],
            )
            for i in self._separators
            if self._usable(i)
        ]

    def cut(self, names: Sequence[str]) -> list[Part]:
        """Cuts the classifier into stages, which are functional models of the same layers.

        Args:
            names: List of strings. Names of layers or operations, in any order. A layer in a nested
                model is `model/layer`, or `layer` if the name is unique. The name of the nested
                model itself is its output. The second call of a layer is `layer#2`.

        Returns:
            List of `Part`. The stages, bottom up.

        Raises:
            ConfigError: If a name does not exist or is ambiguous, or if the graph cannot be cut
                there.
        """
        places = sorted({self._place(name) for name in names})
        if len(places) < len(names):
            raise ConfigError(f"`cuts`: {', '.join(names)}: two of them name the same place")
        points = [self._points[i] for i in (0, *places, -1)]
        return [
            Part(
                upper.name,
                self._activation(upper),
                keras.Model(lower.output, upper.output, name="classifier"),
            )
            for lower, upper in zip(points, points[1:])
        ]

    def _activation(self, point):
        """Returns the activation behind a point's values; None if Keras's operations do not say."""
        while name := _function(point.operation):
            plain = name == "linear" and isinstance(point.operation, layers.Activation)
            if not plain and name not in PASSING:
                slope = getattr(point.operation, "negative_slope", 0)
                return "linear" if slope else GIVEN.get(name)
            point = self._points[point.sources[0]]
        return None

    # The graph

    def _through(self, model, inputs, prefix):
        """Calls a functional model's operations on symbolic inputs and records each call."""

        def call(operation, *args, **kwargs):
            inner = _try_opened(operation, args)
            if inner is None:
                return self._call(operation, prefix, args, kwargs)
            name = prefix + operation.name
            output = self._through(inner, keras.tree.flatten(args[0]), f"{name}/")
            self._names[name] = self._places[id(output)]
            return output

        outputs = keras.tree.flatten(run_operations(model, inputs, call))
        return outputs[0] if len(outputs) == 1 else outputs

    def _call(self, operation, prefix, args, kwargs):
        name = prefix + operation.name
        if self._operations.setdefault(operation.name, operation) is operation:
            output = operation(*args, **kwargs)
        else:
            output = _copied(operation, args, kwargs, name=name.replace("/", "_"))
        calls = sum(point.operation is operation for point in self._points)
        name = f"{name}#{calls + 1}" if calls else name
        arguments = keras.tree.flatten((args, kwargs))
        sources = tuple(self._places[id(x)] for x in arguments if id(x) in self._places)
        for tensor in keras.tree.flatten(output):
            self._places[id(tensor)] = len(self._points)
        self._names[name] = len(self._points)
        self._points.append(_Point(name, operation, (args, kwargs), output, sources))
        return output

    def _without_softmax(self, last):
        """Returns the logits, and the indices of the points that they are computed from.

        The logits are the input of a final softmax or sigmoid. If the outputs prove to be
        probabilities, they are their logarithms. Otherwise they are the outputs.
        """
        operation = last.operation
        if _function(operation) in PROBABILITIES:
            if not getattr(operation, "weights", None):
                return self._points[last.sources[0]].output, last.sources
            changes = {"activation": "linear", "name": f"{operation.name}_logits"}
            return _copied(operation, *last.arguments, **changes), last.sources
        whole = keras.Model(self._points[0].output, last.output)
        noise = np.random.default_rng(0).random((8, *whole.input_shape[1:]), dtype=np.float32)
        values = np.asarray(whole(noise, training=False), np.float32)
        place = (self._places[id(last.output)],)
        if values.min() >= 0 and np.allclose(values.sum(-1), 1, atol=1e-2):
            return ops.log(ops.maximum(last.output, LEAST_PROBABILITY)), place
        return last.output, place

    def _flop(self, point):
        inputs = [self._points[i].output for i in point.sources]
        return operation_flop(point.operation, inputs, point.output)

    # Where it can be cut

    def _separating(self):
        """Returns the indices of the points that every path from the input to the logits passes."""
        top = len(self._points) - 1
        reaching = {top}  # what the logits depend on
        for i in range(top, 0, -1):
            reaching |= set(self._points[i].sources) if i in reaching else set()
        last_use = {source: i for i in sorted(reaching) for source in self._points[i].sources}
        found, needed_until = [], 0
        for i in sorted(reaching - {top}):
            if needed_until <= i:  # nothing above i takes an output from below i
                found.append(i)
            needed_until = max(needed_until, last_use[i])
        return found

    def _usable(self, place):
        """Returns whether a point's output is a vector or a map, between input and logits."""
        output = self._points[place].output
        inside = place > 0 and output is not self._points[-1].output
        shape = getattr(output, "shape", (None, None))  # several outputs have no shape
        return inside and len(shape) in (2, 4) and None not in shape[1:]

    def _place(self, name):
        """Returns the index of the point where to cut; raises `ConfigError` if there is none."""
        found = [n for n in self._names if n == name] or [
            n for n in self._names if n.endswith(f"/{name}")
        ]
        if len(found) != 1:
            near = found or difflib.get_close_matches(name, self._names, 3, 0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise ConfigError(f"`cuts`: the classifier has no layer '{name}'{hint}")
        place, usable = self._names[found[0]], [i for i in self._separators if self._usable(i)]
        if place in usable:
            return place
        if place >= max(self._separators):
            reason = "is the classifier's output"
        elif place in self._separators:
            reason = "gives neither vectors nor maps [H, W, C]"
        else:
            reason = "does not separate the classifier, as a path passes it by"
        nearest = [i for i in usable if i < place][-1:] + [i for i in usable if i > place][:1]
        names = ", ".join(self._points[i].name for i in nearest)
        hint = f"the nearest that can be cut: {names}" if names else "it cannot be cut at all"
        raise ConfigError(f"`cuts`: {name} {reason}; {hint}")


def _opened(model, inputs):
    """Returns a model as a functional one; the `call` of a subclass is traced on `inputs`."""
    if getattr(model, "inputs", None) and getattr(model, "outputs", None):
        return keras.Model(model.inputs, model.outputs)
    traced = keras.Model(inputs, model.call(inputs[0]))
    # Keras renumbers operations that are not layers at every call; these names stay the same.
    fresh = [op for op in traced.operations if not isinstance(op, layers.Layer)]
    taken = {op.name for op in traced.operations if isinstance(op, layers.Layer)}
    for operation in fresh:
        kind = re.sub(r"_\d+$", "", operation.name)
        names = itertools.chain([kind], (f"{kind}_{i}" for i in itertools.count(1)))
        operation.name = next(name for name in names if name not in taken)
        taken.add(operation.name)
    return traced


def _try_opened(operation, args):
    """Returns a nested model as a functional one; None for other operations, or if that fails."""
    if not isinstance(operation, keras.Model) or len(args) != 1:
        return None
    inputs = [keras.Input(x.shape[1:], dtype=x.dtype) for x in keras.tree.flatten(args[0])]
    try:
        model = _opened(operation, inputs)
    except REFUSALS:
        return None
    return model if len(model.outputs) == 1 else None


def _function(operation):
    """Returns the name of a Keras operation or of its activation; None for other operations.

    The name is in lower case, and the same for a layer, a function and its operation in a graph.
    """
    if not type(operation).__module__.startswith("keras."):
        return None
    function = getattr(operation, "activation", operation)
    return getattr(function, "__name__", type(function).__name__).replace("_", "").lower()


def _copied(operation, args, kwargs, **changes):
    """Calls a copy of an operation with other settings and the same weights."""
    copy = type(operation).from_config({**operation.get_config(), **changes})
    output = copy(*args, **kwargs)
    if isinstance(operation, layers.Layer):
        copy.set_weights(operation.get_weights())
    return output


def brief(error: Exception) -> str:
    """Returns the relevant part of a Keras error as one line, without whole configurations."""
    text = re.sub(r"\x1b\[\d*m", "", str(error))  # remove the codes for bold letters
    unknown = re.search(r"Could not locate .*", text)
    text = unknown[0] if unknown else re.sub(r"^Exception encountered when calling .*", "", text)
    return first_line(Exception(text) if text.strip() else error)[:200]
