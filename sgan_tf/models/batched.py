"""Arrays of any length through compiled functions, a bounded number of rows at a time."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

BATCH = 100  # rows at a time
# AutoGraph takes longer than all else before a first sample, and has nothing to find in networks.
compiled = functools.partial(tf.function, autograph=False)


def in_batches(function: Callable, arrays: Sequence[np.ndarray], batch_size: int = BATCH) -> Any:
    """Applies a function of tensors to slices of arrays and joins what it returns.

    Args:
        function: Function of as many tensors as there are arrays; it returns a tensor with a row
            for each of theirs, or a nested structure of such tensors.
        arrays: Arrays of equal length, which may be 0.
        batch_size: The most rows of a call, which bounds its memory.

    Returns:
        An array, or the structure of arrays.
    """
    count = len(arrays[0])
    if not count:  # CPU convolutions fail on no rows, so one goes in and none comes out
        arrays = [np.zeros((1, *a.shape[1:]), a.dtype) for a in arrays]
    parts = [
        function(*(tf.constant(a[start : start + batch_size]) for a in arrays))
        for start in range(0, len(arrays[0]), batch_size)
    ]
    return tf.nest.map_structure(lambda *p: np.concatenate(p)[:count], *parts)
