"""The server with its sockets, from its start to a graceful stop."""

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
    """Raised if the server cannot be started. The message says why."""


@dataclass(frozen=True)
class Options:
    """Sets how a model is served.

    Attributes:
        host: String. Name or address to listen on. Defaults to `"127.0.0.1"`.
        port: Integer. Port of the REST interface; 0 selects a free port. Defaults to 8501.
        grpc_port: Integer or None. Port of the gRPC interface; 0 selects a free port. Defaults to
            None, no gRPC interface.
        timeout: Float. Time limit in seconds, which applies separately to receiving the body of a
            request, computing it, and the client's reading of the answer. Defaults to 30.
        max_body: Integer. Largest size of a request in bytes. Defaults to 16 MiB.
        max_answers: Integer. Largest total size in bytes of the answers that clients have not read
            yet. Defaults to 256 MiB.
        idle: Float. Seconds for which a connection may be open without a request. Defaults to 30.
        poll: Float. Seconds between two checks for a newer version. Defaults to 1.
        origins: Tuple of strings. Origins of other pages that may send requests; see `Guard`.
            Defaults to none.
        page: Boolean. Whether `/` shows the page for people; otherwise it is a line of JSON.
            Defaults to False.
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
    """Serves a model, which is ready when its first version is loaded.

    Args:
        model: `Model`. The model.
        options: `Options`. How the model is served.
        stream: Text stream or None. The log. Defaults to None, no log.
        examiner: `Examiner` or None. The visual Turing test to serve; it is closed when `run`
            returns. Defaults to None, no test.

    Attributes:
        url: String. URL of the REST interface.
        grpc_address: String or None. `host:port` of the gRPC interface; None until it has started.
        app: ASGI application of the REST interface.
        started: `threading.Event`. It is set when both interfaces answer.

    Raises:
        ServeError: If the server cannot listen on the port.
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
        """Serves until SIGINT, SIGTERM or `stop`, and then answers the requests in progress.

        Raises:
            ServeError: If the server cannot listen on the gRPC port.
        """
        try:
            asyncio.run(self._run())
        finally:
            self._socket.close()
            self.executor.close()
            if self._examiner:
                self._examiner.close()
            gc.unfreeze()  # undoes the `gc.freeze` of `Model.refresh`

    def stop(self) -> None:
        """Makes `run` return, from any thread."""
        if self._uvicorn:
            self._uvicorn.should_exit = True

    async def _run(self):
        rpc = await self._start_grpc()
        # uvicorn's annotations allow only classes and whole seconds, but it accepts these too.
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
        """Looks for newer versions at intervals, and loads them."""
        while True:
            await asyncio.sleep(self.options.poll)
            try:
                if await asyncio.to_thread(self.model.refresh):
                    version = self.model.current and self.model.current.number
                    self.telemetry.event("version", version=version)
            except SourceError as error:
                self.telemetry.event("failed", reason=str(error))
            except Exception:  # a folder may be missing for a moment; the served version stays
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
        # Connections inherit this option: asyncio sets it only on sockets that name their protocol.
        # Without it a body would wait 40 ms for the client to acknowledge the headers.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError, UnicodeError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise ServeError(f"`port`: cannot listen on {host}:{port} ({reason})") from error


def _joined(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
