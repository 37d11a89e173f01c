"""Writing files so that a half-written one is never taken for a whole one."""

import os
import tempfile

PARTIAL = ".partial-"  # how the names of files and folders in the making begin


def write_whole(path, content):
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
