"""The model that is served: its newest version, and a bound on what is under way."""

import contextlib
import gc
import re
import threading
from collections.abc import Iterator

from sgan_tf.saving.signatures import DEFAULT
from sgan_tf.server.refusal import Refused, invalid
from sgan_tf.server.servable import Servable, Source, SourceError
from sgan_tf.server.signature import Signature

COLLECTIONS = 2  # after a change of versions: a request may still hold the old one at the first


class Bound:
    """Things under way, of which there may be so many.

    Args:
        most: Their bound.
        what: What they are.
    """

    def __init__(self, most: int, what: str) -> None:
        self.most, self.what, self.count = most, what, 0
        self._lock = threading.Lock()

    def ticket(self, count: int = 0) -> "Ticket":
        """Lets a request in that has so many.

        Raises:
            Refused: when there are too many.
        """
        ticket = Ticket(self)
        ticket.hold(count)
        return ticket

    def add(self, count: int) -> None:
        with self._lock:
            if count > 0 and self.count + count > self.most:
                raise Refused(
                    "RESOURCE_EXHAUSTED", f"Server is busy: too many {self.what} are under way"
                )
            self.count += count


class Ticket:
    """What one request holds of a `Bound`.

    Attributes:
        count: How many.
    """

    def __init__(self, of: Bound) -> None:
        self._of, self.count = of, 0

    def hold(self, count: int) -> None:
        """Holds so many in place of what was held.

        Raises:
            Refused: when there are too many.
        """
        if count > self._of.most:
            raise invalid(
                f"a request has at most {self._of.most} {self._of.what}; this one has {count}"
            )
        self._of.add(count - self.count)
        self.count = count

    def release(self) -> None:
        self.hold(0)


class Loaded:
    """A version in memory.

    Args:
        number: Of the version.
        servable: What was loaded of it; its requests for warming up are run.

    Attributes:
        number: Of the version.
        signatures: `{name: Signature}`.
        class_names: Of the labels; none where the source does not say.
        users: Requests that run on it.
    """

    def __init__(self, number: int, servable: Servable) -> None:
        self.number, self.users = number, 0
        self._servable: Servable | None = servable
        self.class_names = tuple(servable.class_names)
        self.signatures = {
            name: Signature(name, function, servable.rows_apart, servable.max_batch)
            for name, function in sorted(servable.functions.items())
        }
        for name, inputs in servable.warm_up:
            # A SavedModel's requests may be out of date: what they warm up is no less.
            with contextlib.suppress(Refused, KeyError, TypeError, ValueError):
                self.signatures[name].rows(inputs)
                self.signatures[name](inputs)

    def signature(self, name: str, code: str) -> Signature:
        """Returns a signature by its name.

        Args:
            name: Of the signature; empty for the default.
            code: What an unknown name is refused with: TF Serving's interfaces differ in it.
        """
        if (name or DEFAULT) not in self.signatures:
            raise Refused(
                code, f'Serving signature name: "{name or DEFAULT}" not found in signature def'
            )
        return self.signatures[name or DEFAULT]

    def close(self) -> None:
        """Lets go of functions and weights.

        TensorFlow keeps its own form of the graphs that ran, one to two MiB a signature.
        """
        self.signatures, self._servable = {}, None


class Model:
    """A model under its name, of which the newest version is served.

    `refresh` loads a version that is newer (or the newest that is left), and then lets the old one
    go, as soon as no request runs on it.

    Args:
        source: Where versions come from.
        name: What it is served as; by default the source's name.
        rows: The bound of rows under way.

    Attributes:
        current: The version that is served, a `Loaded`; None before the first.
        failed: `{version: (stamp, reason for clients)}` of those that could not be loaded.

    Raises:
        SourceError: when the name could not stand in a path.
    """

    def __init__(self, source: Source, name: str | None = None, rows: int = 4096) -> None:
        self.name, self.rows = name or source.name, Bound(rows, "rows")
        if not re.fullmatch(r"[^/:]+", self.name):
            raise SourceError(f"`name`: '{self.name}' has a '/' or ':', which paths give a meaning")
        self.failed: dict[int, tuple] = {}
        self.current: Loaded | None = None
        self._source, self._lock = source, threading.Lock()
        self._collections = 0  # that are due

    def refresh(self) -> bool:
        """Looks for a newer version and loads it; one call at a time. Returns whether it did.

        A version that failed is tried again when its files change; what is served goes on. What was
        served before is collected by later calls, when no request holds anything of it any more.

        Raises:
            SourceError: when the newer version cannot be loaded.
        """
        with self._lock:
            due, self._collections = self._collections, max(self._collections - 1, 0)
        if due:
            _collect()
        versions = self._source.versions()
        self.failed = {n: why for n, why in self.failed.items() if n in versions}
        number = max(versions, default=None)
        if number is None or (self.current and self.current.number == number):
            return False
        version = versions[number]
        if number in self.failed and self.failed[number][0] == version.stamp:
            return False
        try:
            loaded = Loaded(number, version.load())
        except Exception as error:
            told = error.reason if isinstance(error, SourceError) else None
            reason = told or "the server's log says why"
            # A new dictionary, as requests may be reading the one before.
            self.failed = {**self.failed, number: (version.stamp, reason)}
            raise
        self.failed = {n: why for n, why in self.failed.items() if n != number}
        with self._lock:
            old, self.current = self.current, loaded
            idle = old and not old.users
        if idle:
            self._let_go(old)
        _collect()
        return True

    @contextlib.contextmanager
    def use(self, name: str, version: int | None = None) -> Iterator[Loaded]:
        """Gives the version that a request names, which stays while it is used.

        Raises:
            Refused: when it is not served.
        """
        with self._lock:
            loaded = self._found(name, version)
            loaded.users += 1
        try:
            yield loaded
        finally:
            with self._lock:
                loaded.users -= 1
                idle = not loaded.users and loaded is not self.current
            if idle:
                self._let_go(loaded)

    def _let_go(self, loaded):
        loaded.close()
        with self._lock:
            self._collections = COLLECTIONS

    def _found(self, name, version):
        current = self.current
        other = current is None or version not in (None, current.number)
        if name != self.name or other:
            asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused("NOT_FOUND", f"Servable not found for request: {asked}")
        return current

    def states(self, name: str, version: int | None = None) -> list[tuple[int, str, str]]:
        """Returns `(version, state, error)` of what is served and of what failed.

        Raises:
            Refused: when the model, or that version of it, is unknown.
        """
        known = [(n, "END", message) for n, (_, message) in self.failed.items()]
        if self.current:
            known.append((self.current.number, "AVAILABLE", ""))
        if name != self.name:
            known = []
        known = [state for state in sorted(known) if version in (None, state[0])]
        if not known:
            what = "any versions" if version is None else f"version {version}"
            raise Refused("NOT_FOUND", f"Could not find {what} of model {name}")
        return known


def _collect():
    """Frees what is gone, which holds itself in circles, and exempts all else from collections.

    Each full one would go through all of TensorFlow's and the model's objects: a quarter of a
    second, every second or two under load, in which no request is answered.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
