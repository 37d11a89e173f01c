"""Types for annotations."""

from typing import Any, TypeAlias

# A tensor of Keras's backend, eager or symbolic. Backends share no class, so it is `Any`.
Tensor: TypeAlias = Any
# A shape as Keras passes it to layers: with the batch dimension, which is None if unknown.
Shape: TypeAlias = tuple[Any, ...]
# The logs that Keras passes to a callback: `{metric: its mean over the epoch so far}`.
Logs: TypeAlias = dict[str, Any]
