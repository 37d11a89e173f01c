"""What a server tells of itself: a line of JSON a request, and figures for Prometheus."""

import contextlib
import datetime
import threading
from typing import Any, TextIO

import orjson
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from sgan_tf.server.model import Model

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
LONGEST = 200  # characters of a path in the log


class Telemetry:
    """Logs and counts requests.

    Args:
        model: Whose rows and version are shown.
        stream: Where lines go; None for nowhere.
    """

    def __init__(self, model: Model, stream: TextIO | None) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "sgan_requests", "Requests answered", ["interface", "status"], registry=registry
        )
        self._rows = Counter("sgan_rows", "Rows of predictions", registry=registry)
        self._seconds = Histogram(
            "sgan_request_seconds",
            "Time of a request",
            ["interface"],
            buckets=SECONDS,
            registry=registry,
        )
        under_way = Gauge("sgan_rows_under_way", "Rows under way", registry=registry)
        under_way.set_function(lambda: model.rows.count)
        version = Gauge("sgan_model_version", "Version that is served", registry=registry)
        version.set_function(lambda: model.current.number if model.current else 0)

    def event(self, event: str, **facts: Any) -> None:
        """Writes a line that is no request's."""
        self._write({"time": _now(), "event": event, **facts})

    def request(
        self, interface: str, method: str, path: str, status: int | str, rows: int, seconds: float
    ) -> None:
        """Counts a request and writes its line.

        Args:
            interface: `rest` or `grpc`.
            method, path: As they were sent.
            status: The HTTP status, or gRPC's code.
            rows: Of the prediction; 0 where there is none.
            seconds: That it took.
        """
        self._requests.labels(interface, status).inc()
        self._rows.inc(rows)
        self._seconds.labels(interface).observe(seconds)
        line = {"time": _now(), "interface": interface, "method": method, "path": path[:LONGEST]}
        self._write({**line, "status": status, "rows": rows, "ms": round(1000 * seconds, 2)})

    def metrics(self) -> bytes:
        """Returns the figures in Prometheus's format."""
        return generate_latest(self._registry)

    def _write(self, line):
        if self._stream:
            text = orjson.dumps(line).decode() + "\n"
            # A pipe that nobody reads any more, or a full disk, fails no request.
            with self._lock, contextlib.suppress(OSError):
                self._stream.write(text)
                self._stream.flush()


def _now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
