"""A served pipeline is data: stages, each a Predictor with its own batching and number of workers."""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from okulo.core.protocols import Predictor
from okulo.serve.batcher import FOREVER, Batcher, Watch, Work
from okulo.serve.refusals import Full, Hopeless, Stopping

Done = Callable[[Any, Exception | None], None]
CHUNKS_PER_WORKER = 5
"""One value's objects are cut into so many chunks for each worker: fine enough that all end together."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step of a pipeline: what answers, how many at once, in how many workers.

    `make` is called once for each worker. A stage with `split` and `join` takes a value apart into objects
    that are spread over all its workers, and puts their results together in order.
    """

    name: str
    make: Callable[[], Predictor[Any, Any]]
    workers: int = 1
    batch_size: int = 1
    interval_ms: float = 0.0
    key: Callable[[Any], Hashable] | None = None
    split: Callable[[Any], Sequence[Any]] | None = None
    join: Callable[[Any, Sequence[Any]], Any] | None = None


@dataclass(slots=True, eq=False)
class Order:
    """What a request wants: when at the latest, how urgently, and whether it is still waited for."""

    deadline: float = FOREVER
    urgent: bool = False
    gone: Callable[[], bool] | None = None


NO_ORDER = Order()


class Pipeline:
    """Stages at work: values go in at any stage and come out behind the last, each with its own outcome.

    What is inside at any time is bounded, in values and in bytes; more is refused with `Full`.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        max_items: int = 1024,
        max_bytes: int = 512 << 20,
        watch: Watch | None = None,
    ) -> None:
        self.stages = tuple(stages)
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.items = 0
        self.bytes = 0
        self._closing = False
        self._lock = threading.Lock()
        self._predictors = [[stage.make() for _ in range(stage.workers)] for stage in self.stages]
        self.batchers = [
            Batcher[Any, Any](
                predictors,
                name=stage.name,
                batch_size=stage.batch_size,
                interval_ms=stage.interval_ms,
                watch=watch,
            )
            for stage, predictors in zip(self.stages, self._predictors)
        ]

    def position(self, name: str) -> int:
        """Where the stage of this name stands."""
        return [stage.name for stage in self.stages].index(name)

    @property
    def ready(self) -> bool:
        """Whether every worker of every stage can work now."""
        return not self._closing and all(
            getattr(each, "ready", True) for some in self._predictors for each in some
        )

    @property
    def restarts(self) -> int:
        """How many worker processes were replaced."""
        return sum(getattr(each, "restarts", 0) for some in self._predictors for each in some)

    def wait_s(self, start: int = 0) -> float:
        """How long a value that came now would wait, by the pace so far, s."""
        return sum(each.wait_s() for each in self.batchers[start:])

    def check_room(self, items: int, size: int, order: Order, start: int = 0) -> None:
        """Raise Full or Hopeless if this much more cannot be taken now."""
        if self._closing:
            raise Stopping
        over = self.items + items > self.max_items or self.bytes + size > self.max_bytes
        if over and self.items:
            raise Full(retry_after_s=self.wait_s(start))
        if order.deadline < FOREVER:
            wait_s = self.wait_s(start)
            if time.monotonic() + wait_s > order.deadline:
                raise Hopeless(retry_after_s=wait_s)

    def submit(self, value: Any, size: int, done: Done, order: Order, start: int = 0) -> None:
        """Send a value of `size` bytes through the stages from `start` on; `done` hears the outcome once."""
        with self._lock:
            if self._closing:
                raise Stopping
            self.items += 1
            self.bytes += size
        _Flow(self, size, done, order).go(start, value)

    def leave(self, size: int) -> None:
        """One value is out."""
        with self._lock:
            self.items -= 1
            self.bytes -= size

    def close(self, timeout_s: float = 10.0) -> None:
        """Take no more, finish what is inside, stop the workers; bounded in time."""
        with self._lock:
            self._closing = True
        end = time.monotonic() + timeout_s
        while self.items and time.monotonic() < end:  # a drain, not a wait on the hot path
            time.sleep(0.01)
        for batcher in self.batchers:
            batcher.close(max(0.0, end - time.monotonic()))
        predictors = [each for some in self._predictors for each in some]
        for name in ("hang_up", "close"):  # all are told to end before any is waited for
            for predictor in predictors:
                if callable(end_it := getattr(predictor, name, None)):
                    end_it()


def chunk_size(count: int, workers: int) -> int:
    """How many objects of one value go to a worker at a time.

    >>> chunk_size(200, 2), chunk_size(3, 4)
    (20, 1)
    """
    return max(1, round(count / (CHUNKS_PER_WORKER * workers)))


class _Flow:
    """One value on its way through the stages."""

    __slots__ = ("_done", "_left", "_lock", "_order", "_pipeline", "_results", "_size", "_value")

    def __init__(self, pipeline: Pipeline, size: int, done: Done, order: Order) -> None:
        self._pipeline = pipeline
        self._size = size
        self._done = done
        self._order = order
        self._lock = threading.Lock()
        self._left = 0
        self._value: Any = None
        self._results: list[Sequence[Any]] = []

    def go(self, at: int, value: Any) -> None:
        """Enter the stage `at`, or finish behind the last."""
        try:
            if at == len(self._pipeline.stages):
                self._finish(value, None)
            elif self._pipeline.stages[at].split is None:
                self._send(at, [value], partial(self._one, at))
            else:
                self._spread(at, value)
        except Exception as error:  # a stage's split, or one that is closing: this value fails, nobody else
            self._finish(None, error)

    def _send(
        self, at: int, items: Sequence[Any], done: Callable[[Sequence[Any] | None, Exception | None], None]
    ) -> None:
        stage, order = self._pipeline.stages[at], self._order
        key = stage.key(items[0]) if stage.key else None
        work = Work(items, done, key, order.deadline, order.urgent)
        if order.gone is not None:
            work.gone = order.gone
        self._pipeline.batchers[at].submit(work)

    def _one(self, at: int, answers: Sequence[Any] | None, error: Exception | None) -> None:
        if answers is None:
            self._finish(None, error)
        else:
            self.go(at + 1, answers[0])

    def _spread(self, at: int, value: Any) -> None:
        stage = self._pipeline.stages[at]
        assert stage.split is not None
        objects = stage.split(value)
        size = chunk_size(len(objects), stage.workers)
        chunks = [objects[start : start + size] for start in range(0, len(objects), size)]
        self._value, self._left, self._results = value, len(chunks), [()] * len(chunks)
        if not chunks:
            self._gather(at)
        for index, chunk in enumerate(chunks):
            self._send(at, chunk, partial(self._part, at, index))

    def _part(self, at: int, index: int, answers: Sequence[Any] | None, error: Exception | None) -> None:
        with self._lock:
            if self._left < 0:  # an earlier chunk failed, and with it the value
                return
            if answers is None:
                self._left = -1
            else:
                self._results[index] = answers
                self._left -= 1
            left = self._left
        if left < 0:
            self._finish(None, error)
        elif left == 0:
            self._gather(at)

    def _gather(self, at: int) -> None:
        stage = self._pipeline.stages[at]
        try:
            results = [each for chunk in self._results for each in chunk]
            value = stage.join(self._value, results) if stage.join else results
        except Exception as error:  # a join's bug fails this value alone
            self._finish(None, error)
            return
        self.go(at + 1, value)

    def _finish(self, value: Any, error: Exception | None) -> None:
        self._pipeline.leave(self._size)
        self._done(value, error)
