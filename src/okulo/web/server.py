"""The process: a socket, uvicorn, and an end at SIGINT or SIGTERM."""

import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from okulo.core.errors import BadInput


class _Uvicorn(uvicorn.Server):
    """uvicorn that ends without a word, and says when it is up."""

    def __init__(self, config: uvicorn.Config, up: Callable[[], None]) -> None:
        super().__init__(config)
        self.up = up

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up()


def bind(host: str, port: int) -> socket.socket:
    """Open the listening socket; a port that is taken is BadInput."""
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(kind, socket.SOCK_STREAM)
    except OSError as error:
        raise BadInput(f"{host}:{port}", f"is no address of this machine ({error.strerror})") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        hint = "is another page open? --port 0 takes a free one" if taken else ""
        raise BadInput(f"{host}:{port}", f"cannot listen there ({error.strerror})", hint=hint) from error
    return listener


def serve(app: ASGIApp, listener: socket.socket, *, up: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; `up` is called when the first request can be answered."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    _Uvicorn(config, up).run(sockets=[listener])
