"""The served model with its newest version, and bounds on the requests in progress."""

import contextlib
import gc
import re
import threading
from collections.abc import Iterator

from sgan_tf.saving.signatures import DEFAULT
from sgan_tf.server.refusal import Refused, invalid
from sgan_tf.server.servable import Servable, Source, SourceError
from sgan_tf.server.signature import Signature

COLLECTIONS = 2  # after a change of versions: a request may still hold the old one at the first one


class Bound:
    """Limits how many things, such as rows or bytes, are in progress at a time.

    Args:
        most: Integer. The limit.
        what: String. The plural noun for the things, used in error messages.

    Attributes:
        count: Integer. The number of things in progress.
    """

    def __init__(self, most: int, what: str) -> None:
        self.most, self.what, self.count = most, what, 0
        self._lock = threading.Lock()

    def ticket(self, count: int = 0) -> "Ticket":
        """Admits a request.

        Args:
            count: Integer. Number of things that the request holds. Defaults to 0.

        Returns:
            `Ticket`. It holds the things until it is released.

        Raises:
            Refused: If there would be too many.
        """
        ticket = Ticket(self)
        ticket.hold(count)
        return ticket

    def add(self, count: int) -> None:
        """Adds to the number in progress.

        Args:
            count: Integer. The number to add, which may be negative.

        Raises:
            Refused: If there would be too many.
        """
        with self._lock:
            if count > 0 and self.count + count > self.most:
                raise Refused(
                    "RESOURCE_EXHAUSTED", f"Server is busy: too many {self.what} are under way"
                )
            self.count += count


class Ticket:
    """Counts the things that one request holds of a `Bound`.

    Args:
        of: `Bound`. The limit that the things count towards.

    Attributes:
        count: Integer. The number of things held.
    """

    def __init__(self, of: Bound) -> None:
        self._of, self.count = of, 0

    def hold(self, count: int) -> None:
        """Sets the number of things that the request holds.

        Args:
            count: Integer. The new number, which replaces the old one.

        Raises:
            Refused: If there would be too many.
        """
        if count > self._of.most:
            raise invalid(
                f"a request has at most {self._of.most} {self._of.what}; this one has {count}"
            )
        self._of.add(count - self.count)
        self.count = count

    def release(self) -> None:
        """Sets the number of things held to 0."""
        self.hold(0)


class Loaded:
    """Holds a version in memory, and runs its warm-up requests.

    Args:
        number: Integer. The version's number.
        servable: `Servable`. The loaded version.

    Attributes:
        number: Integer. The version's number.
        signatures: Dict `{name: Signature}`.
        class_names: Tuple of strings. The name of each label; empty if the source does not give
            them.
        users: Integer. Number of requests that use the version.
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
            # A SavedModel's warm-up requests may be out of date, which does no harm.
            with contextlib.suppress(Refused, KeyError, TypeError, ValueError):
                self.signatures[name].rows(inputs)
                self.signatures[name](inputs)

    def signature(self, name: str, code: str) -> Signature:
        """Returns a signature by name.

        Args:
            name: String. The signature's name; empty for the default.
            code: String. The error code for an unknown name, which differs between TF Serving's
                interfaces.

        Raises:
            Refused: If there is no such signature.
        """
        if (name or DEFAULT) not in self.signatures:
            raise Refused(
                code, f'Serving signature name: "{name or DEFAULT}" not found in signature def'
            )
        return self.signatures[name or DEFAULT]

    def close(self) -> None:
        """Releases the functions and weights.

        TensorFlow keeps its internal form of the graphs that ran, one to two MiB per signature.
        """
        self.signatures, self._servable = {}, None


class Model:
    """Serves the newest version of a model under a name.

    `refresh` loads a newer version (or the newest that is left), and then releases the old version
    as soon as no request uses it.

    Args:
        source: `Source`. The source of the versions.
        name: String or None. The name under which the model is served. Defaults to the source's
            name.
        rows: Integer. Largest number of rows in progress. Defaults to 4096.

    Attributes:
        current: `Loaded` or None. The served version; None until the first is loaded.
        failed: Dict `{version: (stamp, reason)}`. The versions that could not be loaded, with the
            reason to tell clients.

    Raises:
        SourceError: If the name contains `/` or `:`, which have a meaning in paths.
    """

    def __init__(self, source: Source, name: str | None = None, rows: int = 4096) -> None:
        self.name, self.rows = name or source.name, Bound(rows, "rows")
        if not re.fullmatch(r"[^/:]+", self.name):
            raise SourceError(f"`name`: '{self.name}' has a '/' or ':', which paths give a meaning")
        self.failed: dict[int, tuple] = {}
        self.current: Loaded | None = None
        self._source, self._lock = source, threading.Lock()
        self._collections = 0  # number of garbage collections that are due

    def refresh(self) -> bool:
        """Looks for a newer version and loads it. Calls must not overlap.

        A version that failed is tried again when its files change; meanwhile the served version
        stays. Later calls collect the garbage of the old version, when no request holds any part of
        it.

        Returns:
            Boolean. Whether a version was loaded.

        Raises:
            SourceError: If the newer version cannot be loaded.
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
            public = error.reason if isinstance(error, SourceError) else None
            reason = public or "the server's log says why"
            # A new dictionary, because requests may be reading the old one.
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
        """Yields the version that a request names, and keeps it loaded while it is used.

        Args:
            name: String. The name of the model.
            version: Integer or None. The number of the version. Defaults to None, the served
                version.

        Raises:
            Refused: If that model or version is not served.
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
        """Returns the states of the served version and of the versions that failed.

        Args:
            name: String. The name of the model.
            version: Integer or None. The number of the version. Defaults to None, all versions.

        Returns:
            List of `(version, state, error)`: an integer, TF Serving's name of the state, and the
            error message, which is empty for the served version.

        Raises:
            Refused: If the model, or that version of it, is unknown.
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
    """Frees unused reference cycles, and exempts all other objects from garbage collection.

    Otherwise every full collection would visit all objects of TensorFlow and the model. Under load
    that takes a quarter of a second every second or two, in which no request is answered.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
