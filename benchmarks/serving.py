"""Measure sgan-serve on the loopback address against calling its model in process.

    python benchmarks/serving.py --model digits
    python benchmarks/serving.py --model exports/mnist
    python benchmarks/serving.py --model exports/mnist --requests 200000   # a soak, with its memory

Each connection sends a request, waits for its answer and sends the next; each thread that calls the
model does the same. Both sample PNGs (`sample_png`) from seeds, and they alternate. "In process"
calls the same functions directly, without the server; for an export these are the functions of its
SavedModel. `of it` divides the requests per second of the server by those in process.
"""

import asyncio
import itertools
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request

from absl import flags

from sgan_tf.cli import app, startup

FLAGS = flags.FLAGS
CONNECTIONS = (1, 8, 64)
SIGNATURE = "sample_png"
PARTS = 10  # parts of a soak, one row each


def define_flags():
    flags.DEFINE_string("model", None, "what sgan-serve takes", required=True)
    flags.DEFINE_integer("rows", 1, "images of a request", lower_bound=1)
    flags.DEFINE_float("seconds", 3, "of a measurement", lower_bound=0.1)
    flags.DEFINE_integer("rounds", 3, "measurements of each way, in turn", lower_bound=1)
    flags.DEFINE_integer(
        "requests", 0, "send so many over 64 connections, in place of the comparison", lower_bound=0
    )


def bench():
    command = [sys.executable, "-m", "sgan_tf.cli.serve", "--model", FLAGS.model, "--name", "bench"]
    server = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        if not line:
            raise app.UsageError("--model: the server did not start")
        url = json.loads(line)["rest"]
        threading.Thread(target=server.stdout.read, daemon=True).start()  # its log
        _soak(url) if FLAGS.requests else _compare(url)
    finally:
        server.terminate()
        server.wait()


# The ways


def over_rest(url, connections, until):
    """Sends requests to a server.

    Args:
        url: String. URL of the server's REST API.
        connections: Integer. Number of connections.
        until: Function of the number of a request, an integer from 0. A connection ends when it
            returns True.

    Returns:
        List of floats. The seconds of each request.

    Raises:
        UsageError: If the server answers with an error.
    """
    host, port = url.removeprefix("http://").rsplit(":", 1)
    counter, seconds = itertools.count(), []

    async def connection():
        reader, writer = await asyncio.open_connection(host, int(port))
        while not until(number := next(counter)):
            body = json.dumps({"signature_name": SIGNATURE, "inputs": _inputs(number)}).encode()
            head = f"POST /v1/models/bench:predict HTTP/1.1\r\nHost: {host}\r\n"
            started = time.perf_counter()
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            size = int(re.search(rb"(?i)content-length: (\d+)", answer)[1])
            content = await reader.readexactly(size)
            seconds.append(time.perf_counter() - started)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise app.UsageError(f"--model: the server answered {content.decode()}")
        writer.close()

    async def all_of_them():
        await asyncio.gather(*(connection() for _ in range(connections)))

    asyncio.run(all_of_them())
    return seconds


def in_process(function, threads, until):
    """Calls a function from several threads.

    Args:
        function: Function of `labels` and `seeds`, lists of integers.
        threads: Integer. Number of threads.
        until: Function of the number of a call, an integer from 0. A thread ends when it returns
            True.

    Returns:
        List of floats. The seconds of each call.
    """
    counter, seconds = itertools.count(), []

    def call():
        while not until(number := next(counter)):
            started = time.perf_counter()
            function(**_inputs(number))
            seconds.append(time.perf_counter() - started)

    workers = [threading.Thread(target=call) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return seconds


def _inputs(number):
    first = number * FLAGS.rows
    return {"labels": [0] * FLAGS.rows, "seeds": list(range(first, first + FLAGS.rows))}


def _compare(url):
    tf = startup.import_tensorflow()
    from sgan_tf.server.servable import open_source

    versions = open_source(FLAGS.model).versions()
    servable = versions[max(versions)].load()

    def call(labels, seeds):
        labels, seeds = tf.constant(labels, tf.int64), tf.constant(seeds, tf.int64)
        return servable.functions[SIGNATURE](labels=labels, seeds=seeds)["image_bytes"].numpy()

    ways = {
        "sgan-serve": lambda count, until: over_rest(url, count, until),
        "in process": lambda count, until: in_process(call, count, until),
    }
    print("| connections | way | requests a second | images a second | ms p50 / p99 | of it |")
    print("|---|---|---|---|---|---|")
    for count in CONNECTIONS:
        _print_rows(count, _measure(ways, count))


def _measure(ways, count):
    """Returns `{way: (requests per second, seconds of each request)}`."""
    for way in ways.values():  # warms up
        way(count, lambda number: number >= 2 * count)
    measured = {name: [] for name in ways}
    for _ in range(FLAGS.rounds):
        for name, way in ways.items():
            end = time.perf_counter() + FLAGS.seconds
            measured[name].append(way(count, lambda _, end=end: time.perf_counter() > end))
    whole = {name: list(itertools.chain(*rounds)) for name, rounds in measured.items()}
    return {
        name: (len(seconds) / (FLAGS.seconds * FLAGS.rounds), seconds)
        for name, seconds in whole.items()
    }


def _print_rows(count, measured):
    import numpy as np

    for name, (rate, seconds) in measured.items():
        latency = " / ".join(f"{1000 * np.percentile(seconds, q):.1f}" for q in (50, 99))
        share = f"{rate / measured['in process'][0]:.2f}"
        print(
            f"| {count} | {name} | {rate:,.0f} | {rate * FLAGS.rows:,.0f} | {latency} | {share} |"
        )


def _soak(url):
    print("| requests | requests a second | memory of the server, MiB |\n|---|---|---|")
    each, before = FLAGS.requests // PARTS, time.perf_counter()
    for part in range(1, PARTS + 1):
        over_rest(url, CONNECTIONS[-1], lambda number: number >= each)
        now = time.perf_counter()
        rate, before = each / (now - before), now
        print(f"| {part * each:,} | {rate:,.0f} | {_memory(url):,.0f} |", flush=True)


def _memory(url):
    metrics = urllib.request.urlopen(f"{url}/metrics").read().decode()
    return float(re.search(r"^process_resident_memory_bytes (\S+)", metrics, re.M)[1]) / 2**20


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
