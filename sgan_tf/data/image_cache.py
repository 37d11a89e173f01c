"""The cache of a folder's decoded images, beside the run, so that they are decoded only once.

The file is a ZIP archive of arrays, followed by its SHA-256. A cache of other files or options, or
a damaged one, is ignored.
"""

import hashlib
import io
import json
import os
import pathlib
from typing import Any

import numpy as np
import PIL

from sgan_tf.utils.files import write_whole

NAME = "images"
DIGEST = hashlib.sha256().digest_size
VERSION = 1  # of the file and of the decoding; a change invalidates every cache


def fingerprint(root: pathlib.Path, paths: list[pathlib.Path], *options: Any) -> str:
    """Returns a checksum of everything that determines a folder's decoded images.

    Args:
        root: Path. The folder.
        paths: List of paths. The images, whose names, sizes and times of change are hashed.
        *options: JSON values. Whatever else determines the images.

    Returns:
        String. A hexadecimal SHA-256.

    Raises:
        OSError: when a file is missing.
    """
    digest = hashlib.sha256(json.dumps([VERSION, PIL.__version__, *options]).encode())
    for path in paths:
        facts = path.stat()
        name = path.relative_to(root).as_posix()
        digest.update(json.dumps([name, facts.st_size, facts.st_mtime_ns]).encode())
    return digest.hexdigest()


def load(cache_dir: str | os.PathLike, key: str) -> dict[str, np.ndarray] | None:
    """Returns the arrays that `store` wrote under a fingerprint.

    Args:
        cache_dir: Path. The folder of the cache.
        key: String. The `fingerprint`.

    Returns:
        `{name: array}`. None if the cache is missing, damaged or of another fingerprint.
    """
    try:
        content = memoryview((pathlib.Path(cache_dir) / NAME).read_bytes())
    except OSError:
        return None
    archive = content[:-DIGEST]
    if content[-DIGEST:] != hashlib.sha256(archive).digest():
        return None
    with np.load(io.BytesIO(archive)) as file:
        if str(file["fingerprint"]) != key:
            return None
        return {name: file[name] for name in file.files if name != "fingerprint"}


def store(cache_dir: str | os.PathLike, key: str, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays to the cache, and replaces those of another fingerprint.

    Args:
        cache_dir: Path. The folder of the cache, which is created if it is missing.
        key: String. The `fingerprint`.
        arrays: Dictionary. `{name: array}`.

    Raises:
        OSError: when the file cannot be written.
    """
    buffer = io.BytesIO()
    content: dict[str, Any] = {"fingerprint": np.array(key), **arrays}
    np.savez(buffer, **content)
    digest = hashlib.sha256(buffer.getbuffer()).digest()
    buffer.seek(0, os.SEEK_END)
    buffer.write(digest)
    path = pathlib.Path(cache_dir) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getbuffer())
