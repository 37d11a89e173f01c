"""The base of all errors that a user can cause."""

import re


class UserError(ValueError):
    """Something that cannot be: one line that names the parameter or file, and what to do.

    Parameters stand in backquotes, as in "`run_dir`: /tmp is not a run". The programs print the
    line with their flags' dashes in place of the backquotes, and exit with code 2.
    """

    def for_flags(self):
        """Returns the message as a program says it: each parameter as the flag of that name."""
        return re.sub(r"`([a-z_]+)`", r"--\1", str(self))


class DataError(UserError):
    """Images that are missing or unusable; the message names them and says what to do."""


def shown(path) -> str:
    """Returns a path as it can be printed in one line."""
    return "".join(character if character.isprintable() else "?" for character in str(path))
