"""A folder's images as they were decoded, beside the run, so that they are decoded once.

The file is a ZIP archive of arrays with its SHA-256 behind. One of other files or other options, or
one that is damaged, is as good as none.
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
VERSION = 1  # of the file and of what is done to an image; another makes every cache anew


def fingerprint(root: pathlib.Path, paths: list[pathlib.Path], *options: Any) -> str:
    """Returns a checksum of all that decides a folder's images.

    Args:
        root: The folder.
        paths: Of its images: names, sizes and times of change count.
        options: What else decides, as JSON can hold it.

    Raises:
        OSError: when a file is gone.
    """
    digest = hashlib.sha256(json.dumps([VERSION, PIL.__version__, *options]).encode())
    for path in paths:
        facts = path.stat()
        name = path.relative_to(root).as_posix()
        digest.update(json.dumps([name, facts.st_size, facts.st_mtime_ns]).encode())
    return digest.hexdigest()


def load(cache_dir: str | os.PathLike, key: str) -> dict[str, np.ndarray] | None:
    """Returns what `store` has kept under a fingerprint; None without it, or when it is damaged.

    Args:
        cache_dir: The folder of the cache.
        key: The `fingerprint`.
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
    """Keeps arrays, in place of those of another fingerprint.

    Args:
        cache_dir: The folder of the cache, which is made when it is missing.
        key: As in `load`.
        arrays: Names and arrays.

    Raises:
        OSError: when they cannot be written.
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
