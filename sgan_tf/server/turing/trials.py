"""Trials that wait for an answer, and a limit on how fast one client may start trials."""

import ipaddress
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from sgan_tf.server.refusal import Refused

MOST = 4096  # largest number of open trials, and of clients that are remembered
MOST_EACH = 32  # largest number of open trials per client
SECONDS = 1800  # age at which a trial can no longer be answered
PER_MINUTE, BURST = 30, 30  # new trials per client: steady rate, and most at once


def token() -> str:
    """Returns an unguessable random name of 22 letters, digits, `-` and `_`, a string."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class Shown:
    """Describes an image of a trial, which stays secret until the answer.

    Attributes:
        real: Boolean. Whether the image is real.
        class_name: String. The class of the image.
        source: Integer. The row in the test set, or the seed of a generated image.
    """

    real: bool
    class_name: str
    source: int


@dataclass(frozen=True)
class Trial:
    """Describes images that are shown together.

    Attributes:
        name: String. The name of the trial, a `token`.
        session: String. The session of the person who sees it, a `token`.
        client: String. The client that requested it; see `client_of`.
        version: Integer. The version of the model that generated images.
        shown: Tuple of `Shown`. The images.
        opened: Float. The time of its start in seconds, from `OpenTrials.clock`.
    """

    name: str
    session: str
    client: str
    version: int
    shown: tuple[Shown, ...]
    opened: float


class OpenTrials:
    """Stores trials without an answer, and drops the oldest if they are too old or too many.

    Args:
        most: Integer. Largest number of trials. Defaults to 4096.
        most_each: Integer. Largest number of trials per client. Defaults to 32.
        seconds: Float. Age in seconds at which a trial is dropped. Defaults to 1800.
        clock: Function without arguments that returns the time in seconds. Defaults to
            `time.monotonic`.
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
        """Stores a trial until `take`.

        Args:
            trial: `Trial`. The trial.
        """
        self._trials[trial.name] = trial
        self._forget_old()
        names = [name for name, other in self._trials.items() if other.client == trial.client]
        if len(names) > self.most_each:
            del self._trials[names[0]]
        if len(self._trials) > self.most:
            del self._trials[next(iter(self._trials))]

    def take(self, name: str) -> Trial:
        """Returns a trial and removes it, so that it can be answered only once.

        Args:
            name: String. The name of the trial.

        Raises:
            Refused: If there is no open trial of that name.
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
    """Limits the trials of each client with a token bucket, which refills at a steady rate.

    Args:
        per_minute: Float. Tokens that are added per minute. Each trial takes one. Defaults to 30.
        burst: Integer. Largest number of tokens in a bucket. Defaults to 30.
        most: Integer. Largest number of clients; the least recent one is dropped. Defaults to 4096.
        clock: Function without arguments that returns the time in seconds. Defaults to
            `time.monotonic`.
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
        """Takes a token from a client's bucket.

        Args:
            client: String. The client; see `client_of`.

        Raises:
            Refused: If the bucket is empty, with the status 429 and the time to wait.
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
    """Returns the client to which an address belongs.

    Args:
        host: String. An IP address, or any other name of a host.

    Returns:
        String. The address; for IPv6 its network of 64 bits, which usually belongs to one client.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
