"""The process: a socket, uvicorn, and an end that breaks nothing."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol, runtime_checkable

import uvicorn
import uvloop

from okulo.core.errors import BadInput
from okulo.serve.http import App
from okulo.serve.settle import settle

log = logging.getLogger("okulo.serve")


@runtime_checkable
class Running(Protocol):
    """What a process serves."""

    def drain(self) -> None:
        """Turn readiness red."""

    def close(self, timeout_s: float = ...) -> None:
        """Finish and end all workers."""

    async def watch(self) -> None:
        """Look after itself, for ever."""


class _Uvicorn(uvicorn.Server):
    """uvicorn, with the signals left to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Open the listening socket; a port that is taken is BadInput."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        hint = "is another server running? --port 0 takes a free one" if taken else ""
        problem = f"cannot listen there ({getattr(error, 'strerror', '') or error})"
        raise BadInput(f"{host}:{port}", problem, hint=hint) from error
    return listener


def serve(
    app: App,
    running: Running,
    listener: socket.socket,
    *,
    drain_s: float = 0.0,
    stop_s: float = 20.0,
    beside: Sequence[AbstractAsyncContextManager[object]] = (),
    started: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then: readiness red, wait `drain_s`, finish requests, end workers.

    All of it ends within `drain_s` + `stop_s` and a little; a second signal cuts `drain_s` short and lets
    requests no more time. `beside` are entered before the first request and left after the last.
    """
    settle()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, running, listener, drain_s, stop_s, beside, started))


async def _serve(
    app: App,
    running: Running,
    listener: socket.socket,
    drain_s: float,
    stop_s: float,
    beside: Sequence[AbstractAsyncContextManager[object]],
    started: Callable[[], None],
) -> None:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here asks where a request came from
        timeout_keep_alive=75,  # longer than load balancers keep theirs, so that they never meet a closed one
        timeout_graceful_shutdown=max(1, round(stop_s)),
    )
    server = _Uvicorn(config)
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def stop() -> None:
        if asked.is_set():
            server.should_exit = server.force_exit = True
        running.drain()
        asked.set()

    async def wind_down() -> None:
        await asked.wait()
        log.info("stopping: readiness is red, requests in flight finish")
        await asyncio.sleep(drain_s)
        server.should_exit = True

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    async with AsyncExitStack() as stack:
        for other in beside:
            await stack.enter_async_context(other)
        helpers = [asyncio.ensure_future(running.watch()), asyncio.ensure_future(wind_down())]
        started()
        try:
            await server.serve([listener])
        finally:
            for helper in helpers:
                helper.cancel()
    ended = time.monotonic()
    await asyncio.to_thread(running.close, 5.0)
    log.info("stopped: workers ended in %.2f s", time.monotonic() - ended)
