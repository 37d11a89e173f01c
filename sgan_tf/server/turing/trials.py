"""Trials that wait for an answer, and how fast one client may begin new ones."""

import ipaddress
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from sgan_tf.server.refusal import Refused

MOST = 4096  # open trials, and clients that are remembered
MOST_EACH = 32  # open trials of one client
SECONDS = 1800  # until a trial is too old to be answered
PER_MINUTE, BURST = 30, 30  # new trials of one client


def token() -> str:
    """Returns a random name of 22 letters, digits, - and _ that nobody can guess."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class Shown:
    """What an image of a trial is: nobody is told before the answer.

    Attributes:
        real: Whether it is.
        class_name: Its class.
        source: Its row in the test set, or the seed that it was generated with.
    """

    real: bool
    class_name: str
    source: int


@dataclass(frozen=True)
class Trial:
    """Images that were shown together.

    Attributes:
        name: Of the trial, a `token`.
        session: Of who sees it, likewise.
        client: Whose address it was asked for from.
        version: Of the model that generated.
        shown: What the images are.
        opened: When it was, by `OpenTrials.clock`.
    """

    name: str
    session: str
    client: str
    version: int
    shown: tuple[Shown, ...]
    opened: float


class OpenTrials:
    """Trials without an answer. Those that are too old or too many are forgotten, oldest first.

    Args:
        most: Of them all.
        most_each: Of one client.
        seconds: Until one is too old.
        clock: Returns seconds.
    """

    def __init__(
        self,
        most: int = MOST,
        most_each: int = MOST_EACH,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most, self.most_each, self.seconds, self.clock = most, most_each, seconds, clock
        self._trials: dict[str, Trial] = {}

    def __len__(self) -> int:
        return len(self._trials)

    def add(self, trial: Trial) -> None:
        """Keeps a trial until `take`."""
        self._trials[trial.name] = trial
        self._forget_old()
        own = [name for name, other in self._trials.items() if other.client == trial.client]
        if len(own) > self.most_each:
            del self._trials[own[0]]
        if len(self._trials) > self.most:
            del self._trials[next(iter(self._trials))]

    def take(self, name: str) -> Trial:
        """Returns a trial, which is then no longer open: it is answered once.

        Raises:
            Refused: when there is none of that name.
        """
        self._forget_old()
        if name not in self._trials:
            reason = "no such trial: it was answered, or is too old; ask for another"
            raise Refused("NOT_FOUND", reason)
        return self._trials.pop(name)

    def _forget_old(self):
        since = self.clock() - self.seconds
        self._trials = {n: trial for n, trial in self._trials.items() if trial.opened >= since}


class Rate:
    """A token bucket a client: each trial takes a token, and tokens come back steadily.

    Args:
        per_minute: Tokens that come back.
        burst: Tokens that a bucket holds.
        most: Clients that are remembered; the one that has not asked for longest is forgotten.
        clock: Returns seconds.
    """

    def __init__(
        self,
        per_minute: float = PER_MINUTE,
        burst: int = BURST,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second, self.burst, self.most, self.clock = per_minute / 60, burst, most, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, at

    def take(self, client: str) -> None:
        """Takes a token of a client.

        Raises:
            Refused: a 429 when there is none, which says when there will be.
        """
        now = self.clock()
        tokens, at = self._buckets.pop(client, (self.burst, now))
        tokens = min(self.burst, tokens + (now - at) * self.per_second)
        granted = tokens >= 1
        self._buckets[client] = (tokens - granted, now)
        if len(self._buckets) > self.most:
            self._buckets.popitem(last=False)
        if not granted:
            wait = math.ceil((1 - tokens) / self.per_second)
            reason = f"too many trials from one address; ask again in {wait} s"
            raise Refused("RESOURCE_EXHAUSTED", reason, 429, wait)


def client_of(host: str) -> str:
    """Returns whom an address belongs to: of IPv6 the network of 64 bits, which one client has."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
