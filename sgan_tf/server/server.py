"""A server on its sockets, from its start to a graceful stop."""

import asyncio
import functools
import gc
import logging
import socket
import threading
from dataclasses import dataclass
from typing import TextIO

import uvicorn

from sgan_tf.errors import UserError
from sgan_tf.server import page
from sgan_tf.server.connection import Connection
from sgan_tf.server.executor import RequestExecutor
from sgan_tf.server.limits import CONNECTIONS, Limits
from sgan_tf.server.model import Model
from sgan_tf.server.rest import Rest, application
from sgan_tf.server.rpc import Rpc
from sgan_tf.server.servable import SourceError
from sgan_tf.server.telemetry import Telemetry
from sgan_tf.server.turing import routes as turing
from sgan_tf.server.turing.examiner import Examiner
from sgan_tf.utils.address import is_loopback

log = logging.getLogger(__name__)


class ServeError(UserError):
    """A server that cannot be started; the message says why."""


@dataclass(frozen=True)
class Options:
    """How a model is served.

    Attributes:
        host: Name or address to listen on.
        port: Of the REST interface; 0 for any that is free.
        grpc_port: Of the gRPC interface, likewise; None for none.
        timeout: Seconds for a request's body to come, as many to compute it, and as many for its
            answer to be read.
        max_body: Most bytes of a request.
        max_answers: Most bytes of all answers that clients have not read yet.
        idle: Seconds that a connection may be open without a request.
        poll: Seconds between two looks for a newer version.
        origins: Of pages elsewhere that may ask.
        page: Whether `/` is the page for people; else it is a line of JSON.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    grpc_port: int | None = None
    timeout: float = 30.0
    max_body: int = 16 * 2**20
    max_answers: int = 256 * 2**20
    idle: float = 30.0
    poll: float = 1.0
    origins: tuple[str, ...] = ()
    page: bool = False


class Server:
    """Serves a `Model`, which is ready once its first version is loaded.

    Args:
        model: The model.
        options: How it is served.
        stream: Where log lines go; None for nowhere.
        examiner: Of the visual Turing test, if there is one; it is closed when `run` returns.

    Attributes:
        url: Of the REST interface.
        grpc_address: `host:port` of the gRPC interface, known once it has started.
        app: The ASGI application.
        started: An event, set once both interfaces answer.

    Raises:
        ServeError: when the port cannot be listened on.
    """

    def __init__(
        self,
        model: Model,
        options: Options,
        stream: TextIO | None = None,
        examiner: Examiner | None = None,
    ) -> None:
        self.model, self.options = model, options
        self.telemetry = Telemetry(model, stream)
        self.executor = RequestExecutor(model, options.timeout)
        self._limits = Limits(options.max_body, options.max_answers, options.idle)
        interface = model, self.executor, self.telemetry, self._limits
        rest, self._examiner = Rest(*interface), examiner
        pages = page.routes(model.name) if options.page else []
        pages += turing.routes(examiner, rest) if examiner else []
        self.app = application(rest, is_loopback(options.host), options.origins, pages)
        self.grpc_address: str | None = None
        self.started = threading.Event()
        self._rpc = Rpc(*interface)
        self._socket = _listen(options.host, options.port)
        self.url = f"http://{_joined(options.host, self._socket.getsockname()[1])}"
        self._uvicorn: uvicorn.Server | None = None

    def run(self) -> None:
        """Serves until SIGINT, SIGTERM or `stop`; requests that are under way are answered.

        Raises:
            ServeError: when the port of gRPC cannot be listened on.
        """
        try:
            asyncio.run(self._run())
        finally:
            self._socket.close()
            self.executor.close()
            if self._examiner:
                self._examiner.close()
            gc.unfreeze()  # what was exempt from collections for the sake of requests

    def stop(self) -> None:
        """Makes `run` return, from any thread."""
        if self._uvicorn:
            self._uvicorn.should_exit = True

    async def _run(self):
        rpc = await self._start_grpc()
        # uvicorn's annotations know classes and whole seconds alone; it takes these too.
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            http=functools.partial(  # type: ignore[arg-type]
                Connection,
                most=self._limits.connections,
                timeout=self.options.timeout,
                on_unread=lambda reason: self.telemetry.event("cut off", reason=reason),
            ),
            timeout_keep_alive=self.options.idle,  # type: ignore[arg-type]
            timeout_graceful_shutdown=3 * self.options.timeout,  # type: ignore[arg-type]
        )
        self._uvicorn = uvicorn.Server(config)
        watch = asyncio.create_task(self._watch())
        self._announce()
        try:
            await self._uvicorn.serve([self._socket])
        finally:
            watch.cancel()
            if rpc:
                await rpc.stop(self.options.timeout)
            self.telemetry.event("stopped")

    async def _start_grpc(self):
        if self.options.grpc_port is None:
            return None
        server, wanted = self._rpc.server(), self.options.grpc_port
        try:
            port = server.add_insecure_port(_joined(self.options.host, wanted))
        except RuntimeError as error:
            raise ServeError(
                f"`grpc_port`: cannot listen on {self.options.host}:{wanted}; is it in use?"
            ) from error
        await server.start()
        self.grpc_address = _joined(self.options.host, port)
        return server

    async def _watch(self):
        """Moves to newer versions."""
        while True:
            await asyncio.sleep(self.options.poll)
            try:
                if await asyncio.to_thread(self.model.refresh):
                    version = self.model.current and self.model.current.number
                    self.telemetry.event("version", version=version)
            except SourceError as error:
                self.telemetry.event("failed", reason=str(error))
            except Exception:  # a folder that is gone for a moment; what is served goes on
                log.exception("looking for versions failed")

    def _announce(self):
        where = {"rest": self.url, "grpc": self.grpc_address}
        version = self.model.current and self.model.current.number
        self.telemetry.event("serving", model=self.model.name, version=version, **where)
        self.started.set()


def _listen(host, port):
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=CONNECTIONS)
        # Connections have it from here: asyncio sets it on sockets that name their protocol alone,
        # and the body of an answer would wait 40 ms for the client to acknowledge the headers.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError, UnicodeError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise ServeError(f"`port`: cannot listen on {host}:{port} ({reason})") from error


def _joined(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
