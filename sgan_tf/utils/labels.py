"""Reads the setting `labels`, the condition of the top level: `given`, `none` or `clusters:K`."""

import re


def clusters(labels: str) -> int | None:
    """Returns the number of clusters in a setting of `labels`.

    Args:
        labels: String. `given`, `none` or `clusters:K`.

    Returns:
        Integer, K of `clusters:K`; None if `labels` is anything else or K is less than 2.
    """
    match = re.fullmatch(r"clusters:(\d{1,9})", labels)
    return int(match[1]) if match and int(match[1]) >= 2 else None
