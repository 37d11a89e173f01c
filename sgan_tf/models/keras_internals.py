"""All calls of private methods of Keras, for what it has no public interface for."""

from collections.abc import Callable
from typing import Any

import keras


def layers_at_any_depth(network: keras.Layer) -> list[keras.Layer]:
    """Returns a model and all layers and models inside it."""
    return list(network._flatten_layers())


def run_operations(model: keras.Model, inputs: Any, call: Callable) -> Any:
    """Calls a functional model's operations one after the other on symbolic inputs.

    Keras's public ways to do this make a model of the result, and rename its layers.

    Args:
        model: Keras model. A functional or sequential model.
        inputs: Symbolic tensors. The model's inputs.
        call: Function `(operation, *args, **kwargs) -> outputs`. It is called instead of each
            operation.

    Returns:
        The model's outputs, in their structure.
    """
    return model._run_through_graph(inputs, operation_fn=lambda x: x, call_fn=call)
