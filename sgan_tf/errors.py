"""The base of all errors that a user can cause."""

import re

FLAGS = {"input_range": "encoder_input"}  # of parameters, where they have another name


class UserError(ValueError):
    """Something that cannot be: one line that names the parameter or file, and what to do.

    Parameters stand in backquotes, as in "`run_dir`: /tmp is not a run". The programs print the
    line with their flags' dashes in place of the backquotes, and exit with code 2.
    """

    def for_flags(self) -> str:
        """Returns the message as a program says it: each parameter as the flag of that name."""
        return re.sub(r"`([a-z_]+)`", lambda name: f"--{FLAGS.get(name[1], name[1])}", str(self))


class DataError(UserError):
    """Images that are missing or unusable; the message names them and says what to do."""


class RunError(UserError):
    """A run folder that cannot be used; the message names it and says what to do."""


def first_line(error: Exception) -> str:
    """Returns the first line of what an error says, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def shown(path: object) -> str:
    """Returns a path as it can be printed in one line."""
    return "".join(character if character.isprintable() else "?" for character in str(path))
