"""What Keras has no public interface for: the only calls of its private methods, in one place."""

from collections.abc import Callable
from typing import Any

import keras


def layers_at_any_depth(network: keras.Layer) -> list[keras.Layer]:
    """Returns a model, and all layers and models inside it."""
    return list(network._flatten_layers())


def run_operations(model: keras.Model, inputs: Any, call: Callable) -> Any:
    """Calls a functional model's operations one after the other on symbolic inputs.

    Keras's public ways to do this make a model of the result, whose layers it names anew.

    Args:
        model: A functional or sequential model.
        inputs: Its inputs, symbolic tensors.
        call: Function `(operation, *args, **kwargs) -> outputs`, in each operation's place.

    Returns:
        The model's outputs, in their structure.
    """
    return model._run_through_graph(inputs, operation_fn=lambda x: x, call_fn=call)
