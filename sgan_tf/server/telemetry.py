"""The server's log, with one line of JSON per request, and its metrics for Prometheus."""

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
LONGEST = 200  # largest number of characters of a path in the log


class Telemetry:
    """Logs and counts requests.

    Args:
        model: `Model`. The model whose rows and version are shown.
        stream: Text stream or None. The log; None for no log.
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
        """Logs an event that is not a request.

        Args:
            event: String. The name of the event.
            **facts: Further fields of the line, values that JSON can hold.
        """
        self._write({"time": _now(), "event": event, **facts})

    def request(
        self, interface: str, method: str, path: str, status: int | str, rows: int, seconds: float
    ) -> None:
        """Counts a request and logs it.

        Args:
            interface: String. `"rest"` or `"grpc"`.
            method: String. The method of the request, as it was sent; `"CALL"` for gRPC.
            path: String. The path of the request.
            status: Integer or string. The HTTP status, or the gRPC code.
            rows: Integer. Number of rows of the prediction; 0 if there is none.
            seconds: Float. Duration of the request in seconds.
        """
        self._requests.labels(interface, status).inc()
        self._rows.inc(rows)
        self._seconds.labels(interface).observe(seconds)
        line = {"time": _now(), "interface": interface, "method": method, "path": path[:LONGEST]}
        self._write({**line, "status": status, "rows": rows, "ms": round(1000 * seconds, 2)})

    def metrics(self) -> bytes:
        """Returns the metrics in Prometheus's text format, as bytes."""
        return generate_latest(self._registry)

    def _write(self, line):
        if self._stream:
            text = orjson.dumps(line).decode() + "\n"
            # A closed pipe or a full disk must not fail the request.
            with self._lock, contextlib.suppress(OSError):
                self._stream.write(text)
                self._stream.flush()


def _now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
