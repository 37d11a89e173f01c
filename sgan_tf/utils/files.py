"""Writing to folders that others read: files whole or not at all, and one writer at a time."""

import contextlib
import os
import pathlib
import socket
import tempfile
from collections.abc import Iterator

import filelock

PARTIAL = ".partial-"  # how the names of files and folders in the making begin


class InUse(Exception):
    """A lock that another holds; the message says who, as "process 4711 on workstation"."""


@contextlib.contextmanager
def sole_writer(path: pathlib.Path) -> Iterator[None]:
    """Holds a lock file for the length of a block: `with sole_writer(folder / "lock"): ...`.

    The operating system lets go of the lock when the process ends, however it ends. Who holds it
    stands in a second file beside it, `<name>.holder`, as a lock file may be unreadable to others.

    Args:
        path: Of the lock file, in a folder that exists. The file itself may stay behind.

    Raises:
        InUse: at once, when another process, or this one, holds the lock already.
        OSError: when the files cannot be written.
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
            holder.unlink()  # a killed process leaves its own, which the next one overwrites
        lock.release()


def _text(path):
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def write_whole(path: pathlib.Path, content: bytes | memoryview | str) -> None:
    """Writes a file whole or not at all, however the process ends.

    Args:
        path: `pathlib.Path` in a folder that exists.
        content: Bytes or text.

    Raises:
        OSError: with the file's name, when it cannot be written.
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
