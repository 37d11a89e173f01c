"""Checks of a trained stack's arguments: each error is one line that starts with the argument."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sgan_tf.utils.images import as_float


def array(name: str, values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> np.ndarray:
    """Converts values to an array.

    Raises:
        ValueError: If they cannot be converted.
    """
    try:
        return np.asarray(values, dtype)
    except (ValueError, TypeError) as error:  # rows of several lengths, or text
        raise ValueError(f"{name} cannot be read as an array: {error}") from error


def rows(name: str, values: npt.ArrayLike, shape: Sequence[int]) -> np.ndarray:
    """Converts values to a float32 array `[N, *shape]`.

    Raises:
        ValueError: If they have another shape or are not finite.
    """
    values = array(name, values, np.float32)
    if values.shape[1:] != tuple(shape) or values.ndim != len(shape) + 1:
        raise ValueError(f"{name} must have the shape {_batch_of(shape)}, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds a number that is not finite")
    return values


def noise(values: Sequence[npt.ArrayLike], dims: Sequence[int], count: int) -> list[np.ndarray]:
    """Converts the first `len(dims)` arrays of noise to float32 `[count, dim]`.

    Raises:
        ValueError: If there are fewer arrays, or one has another shape or is not finite.
    """
    if len(values) < len(dims):
        raise ValueError(f"noise must hold z_0 to z_{len(dims) - 1}; it holds {len(values)}")
    checked = [rows(f"noise[{i}]", z, (dim,)) for i, (z, dim) in enumerate(zip(values, dims))]
    for i, z in enumerate(checked):
        if len(z) != count:
            raise ValueError(f"noise[{i}] has {len(z)} rows, but there are {count} conditions")
    return checked


def images(values: npt.ArrayLike, shape: Sequence[int]) -> np.ndarray:
    """Converts images, uint8 or floats in [0, 1], to float32 `[N, *shape]`.

    Raises:
        ValueError: If they have another shape, type or range.
    """
    values = array("images", values)
    if values.ndim != len(shape) + 1 or values.shape[1:] != tuple(shape):
        hint = "; add an axis for the batch" if values.shape == tuple(shape) else ""
        raise ValueError(f"images must have the shape {_batch_of(shape)}, not {values.shape}{hint}")
    if values.dtype != np.uint8:
        whole = not np.issubdtype(values.dtype, np.floating)
        if whole or (values.size and not (values.min() >= 0 and values.max() <= 1)):
            raise ValueError(
                f"images must be uint8, or floats in [0, 1]; these are {values.dtype}"
                + (f" from {values.min()} to {values.max()}" if values.dtype.kind in "biuf" else "")
            )
    return as_float(values)


def labels(values: npt.ArrayLike, classes: int) -> np.ndarray:
    """Converts labels to an int64 array `[N]`.

    Raises:
        ValueError: If they are not a vector of integers in [0, `classes`).
    """
    values = array("labels", values)
    if not values.size and values.ndim == 1:
        values = values.astype(np.int64)  # an empty list
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"labels must be a vector of integers, not {values.dtype} of shape {values.shape}"
        )
    if values.size and (values.min() < 0 or values.max() >= classes):
        raise ValueError(f"labels must lie in [0, {classes}); got {values.min()} to {values.max()}")
    return values.astype(np.int64)


def labels_or_count(values: npt.ArrayLike | None, count: int | None, classes: int) -> np.ndarray:
    """Converts `values` as `labels` does, or returns `count` zeros if there is only one class.

    Raises:
        ValueError: If both or neither are given, or labels are missing for several classes.
    """
    if values is not None and count is not None:
        raise ValueError("count is for sampling without labels, and labels are given")
    if values is None and classes > 1:
        raise ValueError(f"labels must say which of {classes} classes each image is of")
    if values is None and count is None:
        raise ValueError("count must say how many images are wanted")
    if values is None:
        return np.zeros(integer("count", count, 0, 2**31), np.int64)
    return labels(values, classes)


def integer(name: str, value: object, low: int, high: int) -> int:
    """Returns `value` as an integer.

    Raises:
        ValueError: If it is not an integer in [`low`, `high`).
    """
    if not isinstance(value, (int, np.integer)) or not low <= value < high:
        raise ValueError(f"{name} must be an integer in [{low}, {high}), not {value!r}")
    return int(value)


def _batch_of(shape):
    return f"[{', '.join(['N', *map(str, shape)])}]"
