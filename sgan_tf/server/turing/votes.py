"""Votes in a file of SQLite: a row a vote, which is one answer to one image.

A file is this package's by two numbers in its header, `APPLICATION` and `FORMAT`; any other file is
refused without being opened as a database, which might write to it. Votes are on the disk before
they are answered: all of a trial, or none. Addresses are not kept.
"""

import contextlib
import csv
import io
import os
import pathlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sgan_tf.errors import UserError, shown

APPLICATION = 0x5347414E  # "SGAN"
FORMAT = 1
HEADER = 100  # bytes, https://www.sqlite.org/fileformat.html#the_database_header
WAIT = 10  # seconds for another process that writes to the same file
SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE IF NOT EXISTS votes (
    id INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    session TEXT NOT NULL,
    trial TEXT NOT NULL,
    place INTEGER NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    real INTEGER NOT NULL,
    class_name TEXT NOT NULL,
    source INTEGER NOT NULL,
    called_real INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL,
    UNIQUE (trial, place)
);
CREATE INDEX IF NOT EXISTS tallies
    ON votes (model, version, dataset, session, real, called_real);
COMMIT;
"""


class VotesError(UserError):
    """A file of votes that cannot be read or written; the message says why."""


class Vote(NamedTuple):
    """An answer to one image; its fields are the columns of the table, which numbers its rows.

    Attributes:
        time: When it was given, in UTC, as ISO 8601 writes it.
        session: A random name for who gave it.
        trial: A random name for the nine images that were shown together.
        place: Of the image among them, from 0.
        model, version: What generates, as it is served.
        dataset: Where real images are from.
        real: Whether the image is.
        class_name: Of the image.
        source: Its row in the test set, or the seed that it was generated with.
        called_real: Whether it was taken for real.
        milliseconds: From the nine images being sent to their answer.
    """

    time: str
    session: str
    trial: str
    place: int
    model: str
    version: int
    dataset: str
    real: bool
    class_name: str
    source: int
    called_real: bool
    milliseconds: int


COLUMNS = ("id", *Vote._fields)


class Count(NamedTuple):
    """How one session voted on one model: numbers of images, and of those taken for the other."""

    model: str
    version: int
    dataset: str
    session: str
    real: int
    real_wrong: int
    generated: int
    generated_wrong: int


class Votes:
    """A file that votes are added to; it is made where there is none.

    Args:
        path: Of the file, in a folder that exists.

    Raises:
        VotesError: when it cannot be written, or is no file of votes.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path, self._lock = pathlib.Path(path), threading.Lock()
        _check(self.path, missing_is_fine=True)
        with _failing(self.path, "written"):
            self._connection = sqlite3.connect(
                self.path, timeout=WAIT, isolation_level="IMMEDIATE", check_same_thread=False
            )
            with contextlib.ExitStack() as failed:
                failed.callback(self._connection.close)
                self._connection.executescript(SCHEMA)
                # Readers do not wait for a writer, and a commit is on the disk when it returns.
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                failed.pop_all()

    def add(self, votes: Sequence[Vote]) -> None:
        """Adds all votes, or none; they are on the disk when it returns.

        Raises:
            VotesError: when they cannot be written.
        """
        places = ", ".join("?" * len(Vote._fields))
        statement = f"INSERT INTO votes ({', '.join(Vote._fields)}) VALUES ({places})"
        with self._lock, _failing(self.path, "written"), self._connection:
            self._connection.executemany(statement, votes)

    def tally(
        self, model: str, version: int, dataset: str, session: str | None = None
    ) -> tuple[int, int]:
        """Returns the number of votes on a model, and of those that are wrong.

        Args:
            model, version, dataset: As in `Vote`.
            session: Whose votes are counted; None for all.

        Raises:
            VotesError: when they cannot be read.
        """
        question = """
            SELECT count(*), count(*) FILTER (WHERE real != called_real) FROM votes
            WHERE model = ? AND version = ? AND dataset = ?"""
        values = [model, version, dataset]
        if session is not None:
            question, values = f"{question} AND session = ?", [*values, session]
        with self._lock, _failing(self.path, "read"):
            return self._connection.execute(question, values).fetchone()

    def close(self) -> None:
        """Closes the file, which then holds everything, without others beside it."""
        with self._lock:
            self._connection.close()


def counts(path: str | os.PathLike) -> list[Count]:
    """Counts the votes of a file by model and session.

    Raises:
        VotesError: when it cannot be read, or is no file of votes.
    """
    question = """
        SELECT model, version, dataset, session,
            count(*) FILTER (WHERE real), count(*) FILTER (WHERE real AND NOT called_real),
            count(*) FILTER (WHERE NOT real), count(*) FILTER (WHERE NOT real AND called_real)
        FROM votes GROUP BY model, version, dataset, session"""
    with _reading(pathlib.Path(path)) as connection:
        return [Count(*row) for row in connection.execute(question)]


def as_csv(path: str | os.PathLike) -> str:
    """Returns the votes of a file as CSV, a line of `COLUMNS` first.

    Raises:
        VotesError: as `counts` does.
    """
    text = io.StringIO()
    with _reading(pathlib.Path(path)) as connection:
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM votes ORDER BY id")
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue()


@contextlib.contextmanager
def _reading(path: pathlib.Path) -> Iterator[sqlite3.Connection]:
    _check(path)
    with _failing(path, "read"):
        # Read-only connections would leave SQLite's other files beside it.
        place = f"{path.resolve().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(place, timeout=WAIT, uri=True)) as connection:
            connection.execute("PRAGMA query_only = ON")
            yield connection


@contextlib.contextmanager
def _failing(path, done):
    try:
        yield
    except sqlite3.Error as error:
        raise VotesError(f"`votes`: {shown(path)} cannot be {done} ({error})") from error


def _check(path, missing_is_fine=False):
    """Refuses what is no file of votes, which is left as it is."""
    try:
        if path.exists() and not path.is_file():
            raise VotesError(f"`votes`: {shown(path)} is no file; name one")
        with path.open("rb") as file:
            header = file.read(HEADER)
    except FileNotFoundError as error:
        if missing_is_fine:
            return
        raise VotesError(
            f"`votes`: {shown(path)} does not exist; sgan-serve --turing writes one"
        ) from error
    except OSError as error:
        raise VotesError(f"`votes`: {shown(path)} cannot be read ({error.strerror})") from error
    if not header and missing_is_fine:  # made by another program, to be filled
        return
    version, application = (int.from_bytes(header[at : at + 4]) for at in (60, 68))
    if not header.startswith(b"SQLite format 3\0") or application != APPLICATION:
        raise VotesError(
            f"`votes`: {shown(path)} is no file of votes, and stays as it is; name another"
        )
    if version != FORMAT:
        raise VotesError(
            f"`votes`: {shown(path)} has votes in format {version}, and this version of the "
            f"package knows format {FORMAT}; name another file"
        )
