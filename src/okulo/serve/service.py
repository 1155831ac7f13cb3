"""The service: models at work, what may be asked of them, and whether they are ready."""

import asyncio
import contextlib
import gc
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from okulo.core.errors import BadInput
from okulo.serve.metrics import Metrics
from okulo.serve.models import Key, Served, find_models, load_served, mark_of, version_order
from okulo.serve.plan import Plan
from okulo.serve.refusals import Late, Refused, Stopping
from okulo.serve.settle import give_memory_back
from okulo.serve.stages import Order, Pipeline

log = logging.getLogger("okulo.serve")
LOOK_EVERY_S = 1.0
"""How often changed files are looked for: one stat each."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request may ask for."""

    max_body_bytes: int = 32 << 20
    max_images: int = 64
    timeout_s: float = 30.0


class NotFound(Refused):
    """No such model or version."""

    status = 404
    reason = "unknown model"


@dataclass
class Service:
    """Model files being served; `open` them, `watch` their files, `drain` and `close` at the end."""

    arguments: Sequence[str]
    plan: Plan = field(default_factory=Plan)
    limits: Limits = field(default_factory=Limits)
    metrics: Metrics = field(default_factory=Metrics)
    models: dict[str, dict[str, Served]] = field(default_factory=dict)
    newest: dict[str, Served] = field(default_factory=dict)
    stopping: bool = False
    _refused: dict[Path, object] = field(default_factory=dict)
    _leaving: dict[asyncio.Task[None], Served] = field(default_factory=dict)

    def open(self) -> None:
        """Load every model; one that cannot be served is BadInput."""
        for key, path in find_models(self.arguments).items():
            self._put(load_served(key, path, self.plan, self.metrics))
        self.metrics.show_also(self._gauges)

    def about(self) -> str:
        """What is served, in one line."""
        return ", ".join(f"{each.name}@{each.version}" for each in self.every())

    def find(self, name: str, version: str = "") -> Served:
        """The model of this name: this version, or the newest."""
        served = self.models.get(name, {}).get(version) if version else self.newest.get(name)
        if served is None:
            what = f"model {name!r}" + (f" version {version!r}" if version else "")
            raise NotFound(f"no {what}; there is {', '.join(sorted(self.models))}")
        return served

    def every(self) -> Iterator[Served]:
        """Each version of each model."""
        for versions in list(self.models.values()):
            yield from list(versions.values())

    @property
    def ready(self) -> bool:
        """Whether all models can answer now, and the server means to go on."""
        return not self.stopping and all(each.pipeline.ready for each in self.every())

    def drain(self) -> None:
        """Turn readiness red; requests are still answered."""
        self.stopping = True

    def close(self, timeout_s: float = 10.0) -> None:
        """Finish what is inside and end all workers, in bounded time."""
        self.stopping = True
        end = time.monotonic() + timeout_s
        for served in (*self.every(), *self._leaving.values()):
            served.pipeline.close(max(0.0, end - time.monotonic()))

    async def watch(self) -> None:
        """Replace a model whose file changed, for ever; a broken new file leaves the old model at work.

        When there was work and now is none, what it took is given back to the system.
        """
        before = self.metrics.total()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            answered = self.metrics.total()
            if answered != before and not any(each.pipeline.items for each in self.every()):
                before = answered
                await asyncio.to_thread(give_memory_back)
            try:
                await self._look()
            except Exception:  # a full disk or a vanished folder must not end the watch
                log.exception("looking for changed model files failed")

    async def _look(self) -> None:
        for key, path in find_models(self.arguments).items():
            served = self.models.get(key[0], {}).get(key[1])
            try:
                mark = mark_of(path)
            except BadInput:  # it is being replaced, or was taken away: what is loaded goes on
                continue
            if (served and served.mark == mark) or self._refused.get(path) == mark:
                continue
            if mark[0] / 1e9 > time.time() - LOOK_EVERY_S / 2:  # perhaps still being written
                continue
            await self._replace(key, path, served)

    async def _replace(self, key: Key, path: Path, old: Served | None) -> None:
        name = f"{key[0]}@{key[1]}"
        mark = mark_of(path)
        try:
            new = await asyncio.to_thread(load_served, key, path, self.plan, self.metrics)
        except BadInput as error:
            self._refused[path] = mark
            self.metrics.reload(key[0], "refused")
            log.error("%s: the changed file cannot be served, the old model goes on: %s", name, error)
            return
        self._refused.pop(path, None)
        self._put(new)
        self.metrics.reload(key[0], "loaded")
        log.info("%s: loaded anew from %s", name, path)
        if old is not None:
            task = asyncio.ensure_future(_retire(old))
            self._leaving[task] = old
            task.add_done_callback(self._left)

    def _left(self, task: "asyncio.Task[None]") -> None:
        del self._leaving[task]
        asyncio.get_running_loop().call_soon(gc.collect)  # a model's memory must not wait for a collection

    def _put(self, served: Served) -> None:
        versions = self.models.setdefault(served.name, {})
        versions[served.version] = served
        self.newest[served.name] = versions[max(versions, key=version_order)]

    def _gauges(self) -> Iterator[tuple[str, str, dict[str, str], float]]:
        yield "okulo_ready", "1 if every worker can answer", {}, float(self.ready)
        for each in self.every():
            labels = {"model": each.name, "version": each.version}
            yield "okulo_inside_items", "pictures waiting or being worked on", labels, each.pipeline.items
            yield "okulo_inside_bytes", "bytes of these as they came", labels, each.pipeline.bytes
            for batcher in each.pipeline.batchers:
                stage = {**labels, "stage": batcher.name}
                yield "okulo_queue_items", "items waiting for a worker", stage, batcher.waiting
            restarts = each.pipeline.restarts
            yield "okulo_worker_restarts", "worker processes replaced", labels, restarts


async def _retire(served: Served) -> None:
    """Close a version that is no longer found, once the requests that found it have their answers."""
    while served.held:
        await asyncio.sleep(LOOK_EVERY_S / 10)
    await asyncio.to_thread(served.pipeline.close, 60.0)


class Mailbox:
    """Brings outcomes from the workers' threads to the event loop, many for one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._letters: deque[tuple[Asked, int, Any, Exception | None]] = deque()
        self._posted = False

    def post(self, asked: "Asked", index: int, value: Any, error: Exception | None) -> None:
        """Send one outcome; called in any thread."""
        self._letters.append((asked, index, value, error))
        if not self._posted:
            self._posted = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._open)

    def _open(self) -> None:
        self._posted = False  # before looking: who posts from now on rings again
        while self._letters:
            asked, index, value, error = self._letters.popleft()
            asked.arrived(index, value, error)


Outcome = Any
"""What came out behind the last stage, or the exception that stopped it."""


class Asked:
    """The values of one request: their outcomes, and whether anybody still waits for them."""

    __slots__ = ("_disconnected", "_left", "future", "outcomes")

    def __init__(self, count: int, disconnected: Callable[[], bool], loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[list[Outcome]] = loop.create_future()
        self.outcomes: list[Outcome] = [None] * count
        self._left = count
        self._disconnected = disconnected

    def gone(self) -> bool:
        """Nobody waits: answered, timed out, or the client hung up. Asked in any thread."""
        return self.future.done() or self._disconnected()

    def arrived(self, index: int, value: Any, error: Exception | None) -> None:
        """One outcome is here."""
        self.outcomes[index] = value if error is None else error
        self._left -= 1
        if not self._left and not self.future.done():
            self.future.set_result(self.outcomes)

    def expire(self) -> None:
        """The time is up."""
        if not self.future.done():
            self.future.set_exception(Late())


async def ask(
    pipeline: Pipeline,
    values: Sequence[Any],
    sizes: Sequence[int],
    *,
    mailbox: Mailbox,
    timeout_s: float,
    start: int = 0,
    urgent: bool = False,
    disconnected: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Send values through a pipeline and wait for all outcomes, in order; may be Refused."""
    if not values:
        return []
    asked = Asked(len(values), disconnected, mailbox.loop)
    order = Order(time.monotonic() + timeout_s, urgent, asked.gone)
    pipeline.check_room(len(values), sum(sizes), order, start)
    for index, (value, size) in enumerate(zip(values, sizes)):

        def done(value: Any, error: Exception | None, index: int = index) -> None:
            mailbox.post(asked, index, value, error)

        try:
            pipeline.submit(value, size, done, order, start)
        except Stopping as error:
            done(None, error)
    timer = mailbox.loop.call_later(timeout_s, asked.expire)
    try:
        return await asked.future
    finally:
        timer.cancel()
