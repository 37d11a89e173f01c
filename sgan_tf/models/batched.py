"""Runs compiled functions on arrays of any length, a bounded number of rows at a time."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

BATCH = 100  # rows at a time
# AutoGraph takes longer than everything else before a first sample, and networks do not need it.
compiled = functools.partial(tf.function, autograph=False)


def in_batches(function: Callable, arrays: Sequence[np.ndarray], batch_size: int = BATCH) -> Any:
    """Applies a function of tensors to slices of arrays and concatenates the results.

    Args:
        function: Function. It takes one tensor per array, and returns a tensor with one row per
            input row, or a nested structure of such tensors.
        arrays: List of `np.ndarray`. Arrays of equal length, which may be 0.
        batch_size: Integer. The largest number of rows per call, which bounds its memory. Defaults
            to 100.

    Returns:
        `np.ndarray`, or the same nested structure of arrays.
    """
    count = len(arrays[0])
    if not count:  # CPU convolutions fail on 0 rows, so compute one row and return none
        arrays = [np.zeros((1, *a.shape[1:]), a.dtype) for a in arrays]
    parts = [
        function(*(tf.constant(a[start : start + batch_size]) for a in arrays))
        for start in range(0, len(arrays[0]), batch_size)
    ]
    return tf.nest.map_structure(lambda *p: np.concatenate(p)[:count], *parts)
