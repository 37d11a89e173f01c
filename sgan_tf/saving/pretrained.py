"""The stacks that come with the package: one folder per stack in `FOLDER`, as `save` writes it.

`make pretrained RUN=runs/digits` adds one.
"""

import pathlib

from sgan_tf.saving.stack_folder import METADATA, read_metadata

FOLDER = pathlib.Path(__file__).parents[1] / "pretrained"
MOST_BYTES = 12_000_000  # of all weights together


def list_pretrained() -> dict[str, dict[str, float]]:
    """Lists the stacks that come with the package.

    Returns:
        `{name: scores}`: names for `load`, and what `evaluate.py` measured of each stack's samples,
        `{score: number}`, empty where that has not been done. The `README.md` in each
        folder says more.

    Example:

    >>> "digits" in list_pretrained()
    True
    """
    return {name: _scores(read_metadata(FOLDER / name)) for name in names()}


def names() -> list[str]:
    """Returns the names of the stacks."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{METADATA}"))


def _scores(metadata):
    return metadata["training"].get("metrics", {}).get("evaluation", {}).get("samples", {})
