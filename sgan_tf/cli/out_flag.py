"""Checks the flag --out of programs that write one picture, before the work begins."""

import pathlib

from sgan_tf.cli.app import UsageError
from sgan_tf.utils.images import FORMATS


def picture_path(out: str) -> pathlib.Path:
    """Checks the path of a picture to write.

    Args:
        out: String. The value of --out.

    Returns:
        `pathlib.Path`.

    Raises:
        UsageError: If the suffix is not that of a picture, or if the folder does not exist.
    """
    path = pathlib.Path(out)
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"--out: '{out}' does not end with one of {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise UsageError(f"--out: '{path}' cannot be written; there is no folder {path.parent}")
    return path
