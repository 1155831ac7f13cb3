"""Pipelines: stages in a row, objects of one value over all workers, bounds, errors of one value alone."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from okulo.serve.refusals import Full, Hopeless, Stopping
from okulo.serve.stages import Order, Pipeline, Stage, chunk_size


class Do:
    """Applies a function; remembers its batches."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.batches: list[list[Any]] = []

    def predict(self, batch: Sequence[Any], /) -> list[Any]:
        self.batches.append(list(batch))
        return [self.function(each) for each in batch]


class Box:
    """Waits for outcomes."""

    def __init__(self) -> None:
        self.said: dict[Any, Any] = {}
        self.changed = threading.Condition()

    def put(self, name: Any) -> Any:
        def done(value: Any, error: Exception | None) -> None:
            with self.changed:
                assert name not in self.said, "told twice"
                self.said[name] = value if error is None else error
                self.changed.notify_all()

        return done

    def wait(self, count: int) -> dict[Any, Any]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.said) >= count, 10), self.said
        return self.said


def send(pipeline: Pipeline, box: Box, value: Any, start: int = 0) -> None:
    pipeline.submit(value, 1, box.put(value), Order(), start)


def test_values_pass_all_stages_and_may_enter_at_any() -> None:
    box = Box()
    pipeline = Pipeline(
        [
            Stage(name="decode", make=lambda: Do(str), workers=2),
            Stage(name="network", make=lambda: Do(lambda text: text + "!"), batch_size=4),
        ]
    )
    for value in range(20):
        send(pipeline, box, value)
    send(pipeline, box, "pixels", pipeline.position("network"))
    assert box.wait(21) == {value: f"{value}!" for value in [*range(20), "pixels"]}
    pipeline.close()
    assert (pipeline.items, pipeline.bytes) == (0, 0)


def spread(make: Any, workers: int) -> Stage:
    return Stage(
        name="post",
        make=make,
        workers=workers,
        split=lambda count: list(range(count)),
        join=lambda count, results: (count, list(results)),
    )


def test_one_value_s_objects_use_all_workers_and_come_back_in_order() -> None:
    box, makers = Box(), []
    barrier = threading.Barrier(4, timeout=10)

    def first_wait(number: int) -> int:
        if number % chunk_size(200, 4) == 0 and number < 4 * chunk_size(200, 4):
            barrier.wait()  # passes only if four workers are at it together
        return -number

    def make() -> Do:
        makers.append(Do(first_wait))
        return makers[-1]

    pipeline = Pipeline([spread(make, 4)])
    send(pipeline, box, 200)
    assert box.wait(1)[200] == (200, [-number for number in range(200)])
    sizes = [len(batch) for each in makers for batch in each.batches]
    assert set(sizes) == {10}
    assert len(sizes) == 20
    pipeline.close()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_objects_or_none_are_a_value_too(count: int) -> None:
    box = Box()
    pipeline = Pipeline([spread(lambda: Do(lambda number: -number), 2)])
    send(pipeline, box, count)
    assert box.wait(1)[count] == (count, [-number for number in range(count)])
    pipeline.close()


def test_a_failing_chunk_fails_its_value_once_and_no_other() -> None:
    def picky(number: int) -> int:
        if number == 13:
            raise ValueError("unlucky")
        return number

    box = Box()
    pipeline = Pipeline([spread(lambda: Do(picky), 2)])
    for value in (20, 12, 30, 5):
        send(pipeline, box, value)
    said = box.wait(4)
    assert [type(said[value]) for value in (20, 30)] == [ValueError, ValueError]
    assert said[12] == (12, list(range(12)))
    pipeline.close()
    assert pipeline.items == 0


def test_a_split_or_join_that_raises_fails_its_value_only() -> None:
    def no(*_: Any) -> Any:
        raise KeyError("no")

    for stage in (
        Stage(name="post", make=lambda: Do(str), split=no),
        Stage(name="post", make=lambda: Do(str), split=lambda value: [value], join=no),
    ):
        box = Box()
        pipeline = Pipeline([stage])
        send(pipeline, box, 1)
        assert isinstance(box.wait(1)[1], KeyError)
        pipeline.close()
        assert pipeline.items == 0


def test_what_is_inside_is_bounded_by_items_and_bytes() -> None:
    gate, box = threading.Event(), Box()
    pipeline = Pipeline(
        [Stage(name="s", make=lambda: Do(lambda _: gate.wait(10)))], max_items=3, max_bytes=100
    )
    pipeline.check_room(1, 1000, Order())  # alone, anything goes: the limit of a body is elsewhere
    for value in range(3):
        pipeline.check_room(1, 10, Order())
        pipeline.submit(value, 10, box.put(value), Order())
    with pytest.raises(Full, match="the queue is full"):
        pipeline.check_room(1, 1, Order())
    pipeline.max_items = 10
    with pytest.raises(Full):
        pipeline.check_room(1, 71, Order())
    pipeline.check_room(1, 70, Order())
    gate.set()
    box.wait(3)
    pipeline.close()


def test_a_deadline_that_cannot_be_met_is_refused_at_once() -> None:
    gate, box = threading.Event(), Box()
    pipeline = Pipeline([Stage(name="s", make=lambda: Do(lambda _: gate.wait(10)))])
    pipeline.batchers[0].seconds_per_item = 2.0
    pipeline.check_room(1, 1, Order(time.monotonic() + 1))  # nothing waits yet
    for value in range(3):
        send(pipeline, box, value)
    with pytest.raises(Hopeless) as caught:
        pipeline.check_room(1, 1, Order(time.monotonic() + 1))
    assert caught.value.retry_after is not None
    assert 1 <= caught.value.retry_after <= 6
    gate.set()
    box.wait(3)
    pipeline.close()


def test_a_closed_pipeline_takes_no_more() -> None:
    pipeline = Pipeline([Stage(name="s", make=lambda: Do(str))])
    pipeline.close()
    assert not pipeline.ready
    with pytest.raises(Stopping):
        pipeline.check_room(1, 1, Order())
    with pytest.raises(Stopping):
        send(pipeline, Box(), 1)
