"""The base of all errors that a user can cause."""

import re

FLAGS = {"input_range": "encoder_input"}  # flags whose name differs from the parameter's


class UserError(ValueError):
    """Invalid input. The message is one line that names the parameter or file and says what to do.

    Parameters are in backquotes, as in "`run_dir`: /tmp is not a run". The programs print the line
    with their flags instead, as in "--run_dir: /tmp is not a run", and exit with code 2.
    """

    def for_flags(self) -> str:
        """Returns the message with each parameter replaced by its flag."""
        return re.sub(r"`([a-z_]+)`", lambda name: f"--{FLAGS.get(name[1], name[1])}", str(self))


class DataError(UserError):
    """Images that are missing or unusable; the message names them and says what to do."""


class RunError(UserError):
    """A run folder that cannot be used; the message names it and says what to do."""


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message, or the error's type if it has no message.

    Args:
        error: Exception.

    Returns:
        String.
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def shown(path: object) -> str:
    """Returns a path as one printable line. Other characters become question marks.

    Args:
        path: String or path.

    Returns:
        String.
    """
    return "".join(character if character.isprintable() else "?" for character in str(path))
