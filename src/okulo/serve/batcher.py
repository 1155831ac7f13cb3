"""Dynamic batching: requests come one by one, the network answers many at once.

A free worker takes what waits, up to `batch_size` items of one shape; nobody polls, and nothing waits for
company unless `interval_ms` says so. One bad item never spoils the answers of its neighbours.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from okulo.core.protocols import Predictor
from okulo.serve.refusals import Failed, Gone, Late, Refused, Stopping, WorkerDied

In = TypeVar("In")
Out = TypeVar("Out")

HEAD_START_S = 1.0
"""An urgent item goes before others that came up to this long before it, so that none waits for ever."""

SOME_S = 0.5
"""How often one whose process does not come up looks whether the batcher is being closed."""

FOREVER = float("inf")


def _stays() -> bool:
    return False


@dataclass(slots=True, eq=False)
class Work(Generic[In, Out]):
    """Items of one request that are answered together; `done` is called once, in a worker's thread."""

    items: Sequence[In]
    done: Callable[[Sequence[Out] | None, Exception | None], None]
    key: Hashable = None
    """Only items of one key (a shape, say) share a batch."""
    deadline: float = FOREVER
    """On the clock of `time.monotonic`; work whose time is up is dropped before it costs anything."""
    urgent: bool = False
    gone: Callable[[], bool] = _stays
    """Says whether nobody waits for the answer any more."""
    alone: bool = False
    """A worker died over it: once more, in a batch of its own."""
    queued_at: float = field(default_factory=time.monotonic)

    def before(self) -> float:
        """Order of service: the smaller first."""
        return self.queued_at - HEAD_START_S if self.urgent else self.queued_at


@runtime_checkable
class Watch(Protocol):
    """Hears what a batcher does."""

    def batch(self, stage: str, items: int, seconds: float, waits_s: Sequence[float]) -> None:
        """One batch was answered: its items, how long it took, how long each piece of work had waited."""

    def failure(self, stage: str, error: Exception) -> None:
        """A predictor raised; its items are tried again alone."""


class Unwatched:
    """Hears nothing."""

    def batch(self, stage: str, items: int, seconds: float, waits_s: Sequence[float]) -> None:
        """Nothing."""

    def failure(self, stage: str, error: Exception) -> None:
        """Nothing."""


class Lane(Generic[In, Out]):
    """What waits under one key, in order of service."""

    __slots__ = ("calm", "items", "urgent")

    def __init__(self) -> None:
        self.urgent: deque[Work[In, Out]] = deque()
        self.calm: deque[Work[In, Out]] = deque()
        self.items = 0

    def push(self, work: Work[In, Out]) -> None:
        """Queue it behind its equals."""
        (self.urgent if work.urgent else self.calm).append(work)
        self.items += len(work.items)

    def push_back(self, work: Work[In, Out]) -> None:
        """Queue it before its equals: it has been taken once."""
        (self.urgent if work.urgent else self.calm).appendleft(work)
        self.items += len(work.items)

    def head(self) -> Work[In, Out]:
        """Say whose turn it is."""
        if self.urgent and self.calm:
            return min(self.urgent[0], self.calm[0], key=Work.before)
        return self.urgent[0] if self.urgent else self.calm[0]

    def pop(self) -> Work[In, Out]:
        """Take the one whose turn it is."""
        work = self.head()
        (self.urgent if self.urgent and work is self.urgent[0] else self.calm).popleft()
        self.items -= len(work.items)
        return work


class Batcher(Generic[In, Out]):
    """Workers, one thread each, that answer what is submitted in batches of up to `batch_size` items.

    Threads suffice where `predict` releases the interpreter's lock (ONNX Runtime, OpenCV), waits for another
    process (`Isolated`) or for another machine (`Remote`). Each worker has its own predictor.
    """

    def __init__(
        self,
        predictors: Sequence[Predictor[In, Out]],
        *,
        name: str = "network",
        batch_size: int = 32,
        interval_ms: float = 0.0,
        watch: Watch | None = None,
    ) -> None:
        self.name = name
        self.batch_size = batch_size
        self.interval_s = interval_ms / 1000
        self.seconds_per_item = 0.0
        """Running mean; says how long a queue will take."""
        self._watch = watch or Unwatched()
        self._lanes: dict[Hashable, Lane[In, Out]] = {}
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._idle = 0
        self._waiting = 0
        self._running = 0
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, args=(each,), name=f"okulo-{name}-{index}", daemon=True)
            for index, each in enumerate(predictors)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Work[In, Out]) -> None:
        """Queue work; its `done` will be called. Never blocks."""
        with self._lock:
            if self._closing:
                raise Stopping
            lane = self._lanes.get(work.key)
            if lane is None:
                lane = self._lanes[work.key] = Lane()
            lane.push(work)
            self._waiting += len(work.items)
            if self._idle:
                self._ready.notify()

    @property
    def waiting(self) -> int:
        """Items that wait."""
        return self._waiting

    def wait_s(self) -> float:
        """How long an item that came now would wait, by the pace so far, s."""
        return (self._waiting + self._running) * self.seconds_per_item / len(self._threads)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Answer what waits, then stop; False if a worker was still busy when the time was up."""
        with self._lock:
            self._closing = True
            self._ready.notify_all()
        end = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, predictor: Predictor[In, Out]) -> None:
        while self._fit(predictor) and (batch := self._take()):
            started = time.monotonic()
            alive = [work for work in batch if not _dropped(work, started)]
            count = sum(len(work.items) for work in alive)
            if alive:
                well = self._answer(predictor, alive)
                seconds = time.monotonic() - started
                if well:  # what failed says nothing of the pace
                    share = 0.1 if self.seconds_per_item else 1.0
                    self.seconds_per_item += (seconds / count - self.seconds_per_item) * share
                self._watch.batch(self.name, count, seconds, [started - work.queued_at for work in alive])
            with self._lock:
                self._running -= sum(len(work.items) for work in batch)

    def _fit(self, predictor: Predictor[In, Out]) -> bool:
        """Take no work from the others while this worker's process is being replaced; always true."""
        while not self._closing and not getattr(predictor, "ready", True):
            with contextlib.suppress(WorkerDied):
                predictor.wait_ready(SOME_S)  # type: ignore[attr-defined]  # what has `ready` has this
        return True

    def _take(self) -> list[Work[In, Out]]:
        """Wait for a batch and take it; empty when the batcher is closed and nothing waits."""
        with self._lock:
            while True:
                lane, pause_s = self._next_lane()
                if lane is not None and pause_s <= 0:
                    return self._fill(lane)
                if lane is None and self._closing:
                    return []
                self._idle += 1
                self._ready.wait(pause_s if lane is not None else None)
                self._idle -= 1

    def _next_lane(self) -> tuple[Lane[In, Out] | None, float]:
        """Choose whom to serve next, and how long its company may still be waited for, s."""
        lanes = self._lanes.values()
        if not lanes:
            return None, 0.0
        lane = next(iter(lanes)) if len(lanes) == 1 else min(lanes, key=lambda each: each.head().before())
        if not self.interval_s or self._closing:
            return lane, 0.0
        full = [each for each in lanes if each.items >= self.batch_size]
        if full:
            return min(full, key=lambda each: each.head().before()), 0.0
        return lane, lane.head().queued_at + self.interval_s - time.monotonic()

    def _fill(self, lane: Lane[In, Out]) -> list[Work[In, Out]]:
        batch = [lane.pop()]
        key, room = batch[0].key, self.batch_size - len(batch[0].items)
        while lane.items and len(lane.head().items) <= room and not (batch[0].alone or lane.head().alone):
            batch.append(lane.pop())
            room -= len(batch[-1].items)
        if not lane.items:
            del self._lanes[key]
        self._waiting -= self.batch_size - room
        self._running += self.batch_size - room
        return batch

    def _answer(self, predictor: Predictor[In, Out], batch: list[Work[In, Out]]) -> bool:
        """Answer a batch; False if it failed as one."""
        try:
            answers = _predict(predictor, [item for work in batch for item in work.items])
        except WorkerDied as error:
            self._watch.failure(self.name, error)
            self._again(batch, error)
            return False
        except Exception as error:  # one bad item must not spoil its neighbours' answers
            self._watch.failure(self.name, error)
            if len(batch) == 1:
                _finish(batch[0], None, error)
            else:
                self._answer_alone(predictor, batch)
            return False
        start = 0
        for work in batch:
            end = start + len(work.items)
            _finish(work, answers[start:end], None)
            start = end
        return True

    def _again(self, batch: list[Work[In, Out]], error: WorkerDied) -> None:
        """Let whoever is free try each piece of work once more, by itself; the second time it fails."""
        hopeful = [work for work in batch if not work.alone]
        with self._lock:
            for work in reversed(hopeful):
                work.alone = True
                self._lanes.setdefault(work.key, Lane()).push_back(work)
                self._waiting += len(work.items)
            self._ready.notify(len(hopeful))
        for work in batch:
            if work not in hopeful:
                _finish(work, None, error)

    def _answer_alone(self, predictor: Predictor[In, Out], batch: list[Work[In, Out]]) -> None:
        for work in batch:
            if _dropped(work, time.monotonic()):
                continue
            try:
                _finish(work, _predict(predictor, work.items), None)
            except Exception as error:  # this is the bad one: it fails alone
                self._watch.failure(self.name, error)
                if isinstance(error, WorkerDied):
                    self._again([work], error)
                else:
                    _finish(work, None, error)


def _predict(predictor: Predictor[In, Out], items: Sequence[In]) -> Sequence[Out]:
    answers = predictor.predict(items)
    if len(answers) != len(items):
        raise Failed(f"{len(items)} items got {len(answers)} answers")
    return answers


def _dropped(work: Work[Any, Any], now: float) -> bool:
    """Finish work that nobody waits for, or whose time is up, without computing it."""
    why: Refused
    if work.gone():
        why = Gone()
    elif work.deadline < now:
        why = Late()
    else:
        return False
    _finish(work, None, why)
    return True


def _finish(work: Work[Any, Any], answers: Sequence[Any] | None, error: Exception | None) -> None:
    try:
        work.done(answers, error)
    except Exception as problem:  # a callback's bug must not end the worker's thread
        threading.excepthook(threading.ExceptHookArgs((type(problem), problem, problem.__traceback__, None)))
