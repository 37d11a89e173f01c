"""The stacks that come with the package: `FOLDER` holds one folder per stack, written by `save`.

`make pretrained RUN=runs/digits` adds one.
"""

import pathlib

from sgan_tf.saving.stack_folder import METADATA, read_metadata

FOLDER = pathlib.Path(__file__).parents[1] / "pretrained"
MOST_BYTES = 12_000_000  # limit for all weights together


def list_pretrained() -> dict[str, dict[str, float]]:
    """Lists the stacks that come with the package.

    Returns:
        Dict `{name: scores}`. The names are those that `load` takes; the scores are a dict
        `{score: number}` that `evaluate.py` measured on the stack's samples, empty if it has not
        been run. The `README.md` in each folder says more.

    Example:

    >>> "digits" in list_pretrained()
    True
    """
    return {name: _scores(read_metadata(FOLDER / name)) for name in names()}


def names() -> list[str]:
    """Returns the names of the stacks, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{METADATA}"))


def _scores(metadata):
    return metadata["training"].get("metrics", {}).get("evaluation", {}).get("samples", {})
