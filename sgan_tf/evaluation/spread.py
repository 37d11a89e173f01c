"""Measures how widely generated features spread, to detect collapse. Pure NumPy functions."""

import numpy as np

COLLAPSED = 0.05  # conditional spread over the real spread, below which a level ignores its noise


def spread(h: np.ndarray) -> float:
    """Returns the root mean square distance of rows from their mean.

    Args:
        h: Float `np.ndarray` `[N, ...]`. The rows.

    Returns:
        Float, in the units of h.
    """
    h = np.asarray(h, np.float64).reshape(len(h), -1)
    return float(np.sqrt(np.mean(np.sum((h - h.mean(0)) ** 2, axis=1))))


def conditional_spread(h: np.ndarray) -> float:
    """Returns the root mean square distance of rows from the mean of their condition.

    Args:
        h: Float `np.ndarray` `[conditions, draws, ...]`. Several draws of noise for each condition.

    Returns:
        Float, in the units of h. 0 if the noise changes nothing.
    """
    h = np.asarray(h, np.float64).reshape(*h.shape[:2], -1)
    return float(np.sqrt(np.mean(np.sum((h - h.mean(1, keepdims=True)) ** 2, axis=2))))


def class_spread(h: np.ndarray, labels: np.ndarray) -> float:
    """Returns the root mean square distance of rows from the mean of their class.

    Args:
        h: Float `np.ndarray` `[N, ...]`. The rows.
        labels: Integer `np.ndarray` `[N]`. The labels of the rows. A class with fewer than two rows
            is left out.

    Returns:
        Float, in the units of h.
    """
    h = np.asarray(h, np.float64).reshape(len(h), -1)
    groups = [h[labels == c] for c in np.unique(labels)]
    groups = [g for g in groups if len(g) > 1]
    return float(
        np.sqrt(np.mean(np.concatenate([np.sum((g - g.mean(0)) ** 2, axis=1) for g in groups])))
    )
