"""The base of all errors that a user can cause."""


class UserError(ValueError):
    """Something that cannot be; the message is one line that names the flag or file, what is wrong and what to do.

    The programs print it and exit with code 2.
    """


class DataError(UserError):
    """Images that are missing or unusable; the message names them and says what to do."""
