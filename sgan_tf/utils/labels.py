"""What the top level is conditioned on: `given` labels, `none`, or `clusters:K`."""

import re


def clusters(labels: str) -> int | None:
    """Returns K of `clusters:K`, which is at least 2; None of any other `labels`."""
    match = re.fullmatch(r"clusters:(\d{1,9})", labels)
    return int(match[1]) if match and int(match[1]) >= 2 else None
