"""Serve a model over TF Serving's REST and gRPC interface, without Docker (extra: serve).

With a page for people at /, which shows what each level of the stack holds.

sgan-serve --model exports/mnist                      # new versions are picked up
sgan-serve --model runs/mnist --name sgan --grpc_port 8500
sgan-serve --model digits                             # a stack that comes with the package
sgan-serve --model digits --turing --dataset digits   # which images are real? at /turing

A SavedModel is a program: serve only exports that you trust. What clients may take is bounded, in
bytes, rows, connections and seconds, but not by client: a proxy that strangers can reach has to
bound the connections and requests of each, and to speak TLS. It should close idle connections
before --idle.
"""

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from absl import flags

from sgan_tf.cli import app, interrupts, startup, turing_flags

if TYPE_CHECKING:
    from sgan_tf.server.servable import Source
    from sgan_tf.server.server import Server

FLAGS = flags.FLAGS
ORIGIN = r"\*|https?://([\w.-]+|\[[\da-f:]+\])(:\d+)?"


def define_flags() -> None:
    flags.DEFINE_string(
        "model",
        None,
        "an export's folder, a run folder, a folder written by sgan_tf.save, a stack that comes "
        "with the package, as digits; or hf://user/name",
        required=True,
    )
    flags.DEFINE_string("name", None, "to serve it under; by default the model's own")
    flags.DEFINE_string("host", "127.0.0.1", "name or address to listen on; 0.0.0.0 for all")
    flags.DEFINE_integer("port", 8501, "of REST; 0 for any", lower_bound=0, upper_bound=65_535)
    flags.DEFINE_integer(
        "grpc_port", None, "of gRPC; without it there is none", lower_bound=0, upper_bound=65_535
    )
    flags.DEFINE_integer(
        "max_rows", 4096, "most rows under way; beyond it requests get 503", lower_bound=1
    )
    flags.DEFINE_float("max_body", 16, "most MiB of a request", lower_bound=0.01, upper_bound=1024)
    flags.DEFINE_float(
        "max_answers",
        256,
        "most MiB of answers that clients have not read yet; beyond it requests get 503",
        lower_bound=0.01,
        upper_bound=1_048_576,
    )
    flags.DEFINE_float(
        "timeout",
        30,
        "seconds for a request's body to come, as many to compute it, and as many for its answer "
        "to be read",
        lower_bound=0.001,
        upper_bound=86_400,
    )
    flags.DEFINE_float(
        "idle",
        30,
        "seconds that a connection may be open without a request",
        lower_bound=1,
        upper_bound=86_400,
    )
    flags.DEFINE_float(
        "poll", 1, "seconds between two looks for a newer version", lower_bound=0.1, upper_bound=1e6
    )
    flags.DEFINE_multi_string(
        "cors",
        [],
        "origin of other pages, or of a proxy, that may ask, as https://example.org; * for any; "
        "repeatable",
    )
    turing_flags.define_flags()
    flags.adopt_module_key_flags(turing_flags)
    flags.DEFINE_boolean("no_page", False, "without the page at /")


def serve() -> None:
    from sgan_tf.server.servable import open_source

    for origin in FLAGS.cors:
        if not re.fullmatch(ORIGIN, origin):
            raise app.UsageError(f"--cors: '{origin}' is no origin, as https://example.org, nor *")
    turing_flags.check_flags()
    source = open_source(FLAGS.model)  # errors show before TensorFlow is imported
    options = dict(
        host=FLAGS.host,
        port=FLAGS.port,
        grpc_port=FLAGS.grpc_port,
        timeout=FLAGS.timeout,
        max_body=int(FLAGS.max_body * 2**20),
        max_answers=int(FLAGS.max_answers * 2**20),
        idle=FLAGS.idle,
        poll=FLAGS.poll,
        origins=tuple(FLAGS.cors),
        page=not FLAGS.no_page,
    )
    open_server(source, FLAGS.name, FLAGS.max_rows, sys.stdout, options).run()


def open_server(
    source: "Source", name: str | None, rows: int, stream: TextIO | None, options: dict
) -> "Server":
    """Returns a server that listens and whose model is loaded.

    Args:
        source: `Source` of the model's versions.
        name: String. Name under which the model is served; None for the source's name.
        rows: Integer. Most rows that are processed at a time.
        stream: Text stream for log lines; None writes no log.
        options: Dictionary. The attributes of `Options`.

    Returns:
        A `Server`.

    Raises:
        UsageError: If a package that the server needs is not installed.
    """
    startup.import_tensorflow()
    with extra():
        from sgan_tf.server.model import Model
        from sgan_tf.server.server import Options, Server

    model = Model(source, name, rows)
    examiner = turing_flags.examiner(model)
    server = Server(model, Options(**options), stream, examiner)  # a port in use shows here
    model.refresh()
    if examiner:
        examiner.open()
    interrupts.stop_signals()  # uvicorn takes them while it serves, then raises them again
    return server


@contextlib.contextmanager
def extra() -> Iterator[None]:
    """Raises `UsageError`, which names the extra, if a package is missing in the block."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise app.UsageError(f"a server needs {error.name}; pip install sgan-tf[serve]") from error


def main() -> None:
    define_flags()
    app.run(serve)


if __name__ == "__main__":
    main()
