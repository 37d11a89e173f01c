"""Types that annotations name; nothing here is computed with."""

from typing import Any, TypeAlias

# Of Keras's backend, eager or symbolic: backends share no class, so a checker takes any.
Tensor: TypeAlias = Any
# With the batch dimension, which is None where it is open, as Keras hands shapes to layers.
Shape: TypeAlias = tuple[Any, ...]
# What Keras tells a callback: `{name of a number: its mean over the epoch so far}`.
Logs: TypeAlias = dict[str, Any]
