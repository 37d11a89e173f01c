"""Votes in an SQLite file with one row per vote, which is one answer to one image.

Two numbers in the header, `APPLICATION` and `FORMAT`, identify the files of this package. Any other
file is refused without opening it as a database, which might write to it. All votes of a trial, or
none, are written to the disk before the request is answered. Addresses are not stored.
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
HEADER = 100  # size in bytes, see https://www.sqlite.org/fileformat.html#the_database_header
WAIT = 10  # seconds to wait for another process that writes to the same file
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
    """Raised if a file of votes cannot be read or written. The message says why."""


class Vote(NamedTuple):
    """Holds an answer to one image. The table has a column `id` and one column per field.

    Attributes:
        time: String. The time of the answer in UTC, in ISO 8601 format.
        session: String. A random name for the person who answered.
        trial: String. A random name for the nine images that were shown together.
        place: Integer. The place of the image among them, from 0.
        model: String. The name under which the model is served.
        version: Integer. The served version of the model.
        dataset: String. The name of the data set of the real images.
        real: Boolean. Whether the image is real.
        class_name: String. The class of the image.
        source: Integer. The row in the test set, or the seed of a generated image.
        called_real: Boolean. Whether the person called the image real.
        milliseconds: Integer. Time between the start of the trial and its answer.
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
    """Counts the votes of one session on one model.

    Attributes:
        model: String. See `Vote`.
        version: Integer. See `Vote`.
        dataset: String. See `Vote`.
        session: String. See `Vote`.
        real: Integer. Number of votes on real images.
        real_wrong: Integer. Number of real images that were called generated.
        generated: Integer. Number of votes on generated images.
        generated_wrong: Integer. Number of generated images that were called real.
    """

    model: str
    version: int
    dataset: str
    session: str
    real: int
    real_wrong: int
    generated: int
    generated_wrong: int


class Votes:
    """Adds votes to a file, which is created if it does not exist.

    Args:
        path: String or path. The file, in a folder that exists.

    Raises:
        VotesError: If the file cannot be written, or is not a file of votes.
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
        """Adds all votes, or none, and returns when they are on the disk.

        Args:
            votes: Sequence of `Vote`. The votes.

        Raises:
            VotesError: If the votes cannot be written.
        """
        places = ", ".join("?" * len(Vote._fields))
        statement = f"INSERT INTO votes ({', '.join(Vote._fields)}) VALUES ({places})"
        with self._lock, _failing(self.path, "written"), self._connection:
            self._connection.executemany(statement, votes)

    def tally(
        self, model: str, version: int, dataset: str, session: str | None = None
    ) -> tuple[int, int]:
        """Counts the votes on a model.

        Args:
            model: String. See `Vote`.
            version: Integer. See `Vote`.
            dataset: String. See `Vote`.
            session: String or None. The session whose votes are counted. Defaults to None, all
                sessions.

        Returns:
            `(votes, wrong)`: the numbers of votes and of wrong votes, integers.

        Raises:
            VotesError: If the votes cannot be read.
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
        """Closes the file, and merges SQLite's additional files into it."""
        with self._lock:
            self._connection.close()


def counts(path: str | os.PathLike) -> list[Count]:
    """Counts the votes of a file by model and session.

    Args:
        path: String or path. The file.

    Returns:
        List of `Count`. One entry per model, version, data set and session.

    Raises:
        VotesError: If the file cannot be read, or is not a file of votes.
    """
    question = """
        SELECT model, version, dataset, session,
            count(*) FILTER (WHERE real), count(*) FILTER (WHERE real AND NOT called_real),
            count(*) FILTER (WHERE NOT real), count(*) FILTER (WHERE NOT real AND called_real)
        FROM votes GROUP BY model, version, dataset, session"""
    with _reading(pathlib.Path(path)) as connection:
        return [Count(*row) for row in connection.execute(question)]


def as_csv(path: str | os.PathLike) -> str:
    """Returns the votes of a file as CSV, with the names of the columns in the first line.

    Args:
        path: String or path. The file.

    Raises:
        VotesError: If the file cannot be read, or is not a file of votes.
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
        # A read-only connection would leave SQLite's additional files behind.
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
    """Raises an error if a file is not a file of votes, without changing it."""
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
    if not header and missing_is_fine:  # an empty file, created by another program
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
