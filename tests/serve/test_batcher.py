"""The batcher: what shares a batch, what waits, what fails alone, and who is dropped."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okulo.serve.batcher import Batcher, Work
from okulo.serve.refusals import Failed, Gone, Late, Stopping, WorkerDied


class Doubling:
    """Doubles numbers; remembers its batches, waits at a gate, and cannot stand negative ones."""

    def __init__(self, *, gated: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.busy = threading.Event()
        if not gated:
            self.gate.set()

    def predict(self, batch: Sequence[int], /) -> list[int]:
        self.batches.append(list(batch))
        self.busy.set()
        assert self.gate.wait(10)
        if min(batch) < 0:
            raise ValueError(f"negative: {min(batch)}")
        return [2 * each for each in batch]


class Outcomes:
    """Collects what each piece of work came to."""

    def __init__(self) -> None:
        self.said: dict[Any, Any] = {}
        self._changed = threading.Condition()

    def work(self, *items: int, **options: Any) -> Work[int, int]:
        def done(answers: Sequence[int] | None, error: Exception | None) -> None:
            with self._changed:
                assert items not in self.said, "told twice"
                self.said[items] = error if answers is None else list(answers)
                self._changed.notify_all()

        return Work(list(items), done, **options)

    def wait(self, count: int) -> dict[Any, Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.said) >= count, 10), self.said
        return self.said


def run(batcher: Batcher[int, int], works: Sequence[Work[int, int]]) -> None:
    for work in works:
        batcher.submit(work)


def test_what_waits_while_the_worker_is_busy_becomes_one_batch() -> None:
    slow, out = Doubling(gated=True), Outcomes()
    batcher = Batcher([slow], batch_size=8)
    batcher.submit(out.work(1))
    assert slow.busy.wait(5)
    run(batcher, [out.work(number) for number in range(2, 12)])
    assert batcher.waiting == 10
    slow.gate.set()
    assert out.wait(11) == {(number,): [2 * number] for number in range(1, 12)}
    assert slow.batches == [[1], [2, 3, 4, 5, 6, 7, 8, 9], [10, 11]]
    assert batcher.close()


def test_a_lone_item_never_waits_for_company() -> None:
    fast, out = Doubling(), Outcomes()
    batcher = Batcher([fast], batch_size=64)
    began = time.monotonic()
    batcher.submit(out.work(1))
    out.wait(1)
    assert time.monotonic() - began < 1
    assert batcher.close()


def test_an_interval_is_the_longest_wait_and_a_full_batch_goes_at_once() -> None:
    fast, out = Doubling(), Outcomes()
    batcher = Batcher([fast], batch_size=3, interval_ms=400)
    began = time.monotonic()
    run(batcher, [out.work(number) for number in range(3)])
    out.wait(3)
    assert time.monotonic() - began < 0.35
    began = time.monotonic()
    batcher.submit(out.work(7))
    out.wait(4)
    assert 0.35 < time.monotonic() - began < 5
    assert fast.batches == [[0, 1, 2], [7]]
    assert batcher.close()


def test_shapes_do_not_share_a_batch() -> None:
    slow, out = Doubling(gated=True), Outcomes()
    batcher = Batcher([slow], batch_size=8)
    batcher.submit(out.work(0))
    assert slow.busy.wait(5)
    run(batcher, [out.work(number, key=number % 2) for number in range(1, 7)])
    slow.gate.set()
    out.wait(7)
    assert slow.batches == [[0], [1, 3, 5], [2, 4, 6]]
    assert batcher.close()


def test_a_bad_item_fails_alone() -> None:
    slow, out = Doubling(gated=True), Outcomes()
    batcher = Batcher([slow], batch_size=8)
    batcher.submit(out.work(0))
    assert slow.busy.wait(5)
    run(batcher, [out.work(number) for number in (1, 2, -3, 4)])
    slow.gate.set()
    said = out.wait(5)
    assert isinstance(said.pop((-3,)), ValueError)
    assert said == {(number,): [2 * number] for number in (0, 1, 2, 4)}
    assert slow.batches == [[0], [1, 2, -3, 4], [1], [2], [-3], [4]]
    assert batcher.close()


def test_a_wrong_count_of_answers_is_an_error_and_mixes_nothing_up() -> None:
    class Forgetful:
        def predict(self, batch: Sequence[int], /) -> list[int]:
            return [2 * each for each in batch if each != 2]

    out = Outcomes()
    batcher = Batcher([Forgetful()], batch_size=8, interval_ms=50)
    run(batcher, [out.work(number) for number in (1, 2, 3)])
    said = out.wait(3)
    assert isinstance(said.pop((2,)), Failed)
    assert said == {(1,): [2], (3,): [6]}
    assert batcher.close()


def test_who_hung_up_or_is_too_late_costs_nothing() -> None:
    slow, out = Doubling(gated=True), Outcomes()
    batcher = Batcher([slow], batch_size=8)
    batcher.submit(out.work(0))
    assert slow.busy.wait(5)
    batcher.submit(out.work(1, gone=lambda: True))
    batcher.submit(out.work(2, deadline=time.monotonic() + 0.01))
    batcher.submit(out.work(3, deadline=time.monotonic() + 60))
    time.sleep(0.05)
    slow.gate.set()
    said = out.wait(4)
    assert isinstance(said[(1,)], Gone)
    assert isinstance(said[(2,)], Late)
    assert said[(3,)] == [6]
    assert slow.batches == [[0], [3]]
    assert batcher.close()


def test_urgent_goes_first_but_starves_nobody() -> None:
    slow, out = Doubling(gated=True), Outcomes()
    batcher = Batcher([slow], batch_size=1)
    batcher.submit(out.work(0))
    assert slow.busy.wait(5)
    old = out.work(1)
    old.queued_at -= 5  # came long before
    run(batcher, [old, out.work(2), out.work(3, urgent=True)])
    slow.gate.set()
    out.wait(4)
    assert slow.batches == [[0], [1], [3], [2]]
    assert batcher.close()


def test_a_dead_worker_s_batch_is_tried_once_more() -> None:
    class Dying:
        def __init__(self) -> None:
            self.batches: list[list[int]] = []

        def predict(self, batch: Sequence[int], /) -> list[int]:
            self.batches.append(list(batch))
            if 9 in batch or len(self.batches) == 1:
                raise WorkerDied("died")
            return [2 * each for each in batch]

    dying, out = Dying(), Outcomes()
    batcher = Batcher([dying])
    batcher.submit(out.work(1))
    assert out.wait(1) == {(1,): [2]}
    batcher.submit(out.work(9))
    assert isinstance(out.wait(2)[(9,)], WorkerDied)
    assert dying.batches == [[1], [1], [9], [9]]
    assert batcher.close()


def test_a_worker_whose_process_is_down_takes_no_work_from_the_others() -> None:
    class Down:
        ready = False

        def wait_ready(self, timeout_s: float) -> None:
            time.sleep(0.01)
            raise WorkerDied("still down")

        def predict(self, batch: Sequence[int], /) -> list[int]:
            raise AssertionError("it is down")

    up, out = Doubling(), Outcomes()
    batcher = Batcher([Down(), Down(), up])
    run(batcher, [out.work(number) for number in range(20)])
    assert out.wait(20) == {(number,): [2 * number] for number in range(20)}
    assert batcher.close()


def test_what_a_worker_died_over_is_tried_again_by_whoever_is_free() -> None:
    class Dies:
        """Dies over its first batch after a while, and its process does not come up again."""

        ready = True
        busy = threading.Event()

        def wait_ready(self, timeout_s: float) -> None:
            time.sleep(0.01)
            raise WorkerDied("does not come up")

        def predict(self, batch: Sequence[int], /) -> list[int]:
            assert self.ready
            self.busy.set()
            time.sleep(0.2)
            self.ready = False
            raise WorkerDied("died")

    dies, up, out = Dies(), Doubling(gated=True), Outcomes()
    batcher = Batcher([dies, up], batch_size=4)
    run(batcher, [out.work(number) for number in range(12)])
    assert dies.busy.wait(10)
    up.gate.set()
    assert out.wait(12) == {(number,): [2 * number] for number in range(12)}
    assert not dies.ready
    assert batcher.seconds_per_item < 0.05  # what failed says nothing of the pace
    assert batcher.close()


def test_closing_answers_what_waits_and_takes_no_more() -> None:
    slow, out = Doubling(gated=True), Outcomes()
    batcher = Batcher([slow], batch_size=2)
    run(batcher, [out.work(number) for number in range(5)])
    closer = threading.Thread(target=batcher.close)
    closer.start()
    slow.gate.set()
    closer.join(10)
    assert out.wait(5) == {(number,): [2 * number] for number in range(5)}
    with pytest.raises(Stopping):
        batcher.submit(out.work(99))


def test_closing_is_bounded_though_a_worker_hangs() -> None:
    stuck, out = Doubling(gated=True), Outcomes()
    batcher = Batcher([stuck])
    batcher.submit(out.work(1))
    assert stuck.busy.wait(5)
    began = time.monotonic()
    assert not batcher.close(0.1)
    assert time.monotonic() - began < 2
    stuck.gate.set()


def test_an_idle_batcher_does_nothing() -> None:
    batcher = Batcher([Doubling(), Doubling()], interval_ms=1)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.02
    assert batcher.close()


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=60),
    batch_size=st.integers(1, 9),
    workers=st.integers(1, 3),
    bad=st.sets(st.integers(0, 59), max_size=5),
)
def test_every_answer_belongs_to_its_question(
    sizes: list[int], batch_size: int, workers: int, bad: set[int]
) -> None:
    rng = np.random.default_rng(0)
    out = Outcomes()
    batcher = Batcher([Doubling() for _ in range(workers)], batch_size=batch_size)
    wanted: dict[Any, Any] = {}
    for index, size in enumerate(sizes):
        sign = -1 if index in bad else 1
        items = tuple(sign * (1 + index * 10 + offset) for offset in range(size))
        wanted[items] = [2 * each for each in items]
        batcher.submit(out.work(*items, key=index % 2, urgent=bool(rng.integers(2))))
    said = out.wait(len(sizes))
    for items, answer in wanted.items():
        if items[0] < 0:
            assert isinstance(said[items], ValueError)
        else:
            assert said[items] == answer
    assert batcher.close()
