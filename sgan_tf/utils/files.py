"""Writes files completely or not at all, and locks folders so that one process writes at a time."""

import contextlib
import os
import pathlib
import socket
import tempfile
from collections.abc import Iterator

import filelock

PARTIAL = ".partial-"  # prefix of files and folders that are not complete yet


class InUse(Exception):
    """A lock that is already held; the message names who, as "process 4711 on workstation"."""


@contextlib.contextmanager
def sole_writer(path: pathlib.Path) -> Iterator[None]:
    """Holds a lock file for the length of a block: `with sole_writer(folder / "lock"): ...`.

    The operating system releases the lock when the process ends, however it ends. A second file,
    `<name>.holder`, names the process that holds the lock, as others may not be able to read the
    lock file itself.

    Args:
        path: `pathlib.Path`. The lock file, in an existing folder. The file may remain afterwards.

    Raises:
        InUse: If another process, or this one, holds the lock already. It is raised at once.
        OSError: If the files cannot be written.
    """
    holder = path.with_name(f"{path.name}.holder")
    lock = filelock.FileLock(path, thread_local=False)  # may be released by another thread
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise InUse(_text(holder) or "another process") from error
    try:
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()  # a killed process leaves this file, and the next one overwrites it
        lock.release()


def _text(path):
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def write_whole(path: pathlib.Path, content: bytes | memoryview | str) -> None:
    """Writes a file completely or not at all, however the process ends.

    Args:
        path: `pathlib.Path`. The file, in an existing folder.
        content: Bytes, memoryview or string.

    Raises:
        OSError: If the file cannot be written. The error names the file.
    """
    try:
        handle, partial = tempfile.mkstemp(prefix=PARTIAL, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(partial, 0o666 & ~_umask())
            os.replace(partial, path)
        except BaseException:
            os.unlink(partial)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
