"""The job store alone: each item leased to one at a time, and in the result once."""

import os
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from okulo.core.errors import BadInput
from okulo.serve.jobs.lease import is_dead
from okulo.serve.jobs.pack import NoRoom, Spool
from okulo.serve.jobs.records import Job, Leased, NewItem, NewJob, Outcome
from okulo.serve.jobs.store import JobStore, NoJob, Unavailable, new_id

CATS = [("cats", "1")]


def job(count: int = 3, model: str = "cats", key: str = "", pack: str = "") -> NewJob:
    items = [NewItem(name=f"{i}.png", start=10 * i, length=10) for i in range(count)]
    return NewJob(id=new_id(), model=model, version="1", items=items, request_key=key, pack=pack)


def done(item: Leased, text: str = "{}") -> Outcome:
    return Outcome(job=item.job, number=item.number, answer=text)


def state(of: Job) -> tuple[str, int, int]:
    return of.state, of.done, of.failed


def test_a_job_from_its_start_to_its_end(where: str) -> None:
    store = JobStore(where)
    made = store.add(job(3))
    assert (state(made), made.items, made.bytes) == (("waiting", 0, 0), 3, 30)
    assert abs(made.created_s - time.time()) < 60
    first = store.lease(CATS, 2, "a", 60)
    assert [(each.number, each.attempts, each.start) for each in first] == [(0, 1, 0), (1, 1, 10)]
    second = store.lease(CATS, 2, "b", 60)
    assert [each.number for each in second] == [2]
    assert store.lease(CATS, 2, "c", 60) == []
    assert store.record("a", [done(first[0], '{"best": "tom"}')]) == 1
    assert state(store.get(made.id)) == ("running", 1, 0)
    bad = Outcome(job=first[1].job, number=1, error="no picture \0 \udc80")
    assert store.record("a", [bad]) == 1
    assert store.open_items() == (1, 30)
    assert store.record("b", [done(second[0])]) == 1
    ended = store.get(made.id)
    assert state(ended) == ("done", 2, 1)
    assert ended.ended_s is not None and ended.ended_s >= made.created_s
    rows = list(store.rows(made.id, at_once=2))
    assert [(row.index, row.name, row.answer) for row in rows] == [
        (0, "0.png", {"best": "tom"}), (1, "1.png", None), (2, "2.png", {}),
    ]  # fmt: skip
    assert rows[1].error is not None and rows[1].error.startswith("no picture")
    assert store.open_items() == (0, 0)
    assert not store.has_work(CATS)
    store.close()


def test_only_jobs_for_models_one_has_oldest_first(where: str) -> None:
    store = JobStore(where)
    dogs, cats, more = (store.add(job(1, model)) for model in ("dogs", "cats", "cats"))
    assert store.lease([("cats", "2"), ("cows", "1")], 5, "a", 60) == []
    leased = store.lease(CATS, 5, "a", 60)
    assert len(leased) == 2
    assert [each.id for each in store.every()] == [more.id, cats.id, dogs.id]
    assert [each.id for each in store.every(before=more.id, limit=1)] == [cats.id]
    store.record("a", [done(leased[0])])
    assert store.get(cats.id).state == "done"
    store.close()


def test_a_lease_that_ran_out_goes_to_another_and_the_late_result_is_dropped(where: str) -> None:
    store = JobStore(where)
    made = store.add(job(3))
    slow = store.lease(CATS, 3, "slow", 0.05)
    time.sleep(0.1)
    alone = store.lease(CATS, 3, "quick", 60)
    assert [(each.number, each.attempts) for each in alone] == [(0, 2)]  # begun before: alone
    assert (
        store.record("slow", [done(each, '{"by": "slow"}') for each in slow]) == 2
    )  # nobody took these two yet
    assert store.record("quick", [done(alone[0], '{"by": "quick"}')]) == 1
    assert store.record("quick", [done(alone[0], '{"by": "again"}')]) == 0
    assert [(row.answer or {})["by"] for row in store.rows(made.id)] == ["quick", "slow", "slow"]
    assert state(store.get(made.id)) == ("done", 3, 0)
    store.close()


def test_a_renewed_lease_holds_and_what_is_given_back_was_not_begun(where: str) -> None:
    store = JobStore(where)
    store.add(job(2))
    store.lease(CATS, 1, "a", 0.3)
    store.lease(CATS, 1, "b", 0.3)
    store.renew(["a", "elsewhere"], 60)
    time.sleep(0.4)
    assert [each.number for each in store.lease(CATS, 5, "c", 60)] == [1]
    store.give_back("a")
    assert [(each.number, each.attempts) for each in store.lease(CATS, 5, "d", 60)] == [(0, 1)]
    store.close()


def test_what_the_dead_hold_is_free_at_once(where: str) -> None:
    store = JobStore(where)
    store.add(job(2))
    store.lease(CATS, 1, "dead", 60)
    store.lease(CATS, 1, "alive", 60)
    store.free(lambda lease: lease == "dead")
    assert [each.number for each in store.lease(CATS, 5, "c", 60)] == [0]
    assert not is_dead("alive")
    store.close()


def test_cancel_keeps_what_is_done_and_takes_no_more(where: str) -> None:
    store = JobStore(where)
    made = store.add(job(4))
    leased = store.lease(CATS, 2, "a", 60)
    store.record("a", [done(leased[0])])
    cancelled = store.cancel(made.id)
    assert state(cancelled) == ("cancelled", 1, 0)
    assert store.record("a", [done(leased[1])]) == 0
    assert store.lease(CATS, 4, "b", 60) == []
    assert [row.error for row in store.rows(made.id)] == [None, *["the job was cancelled"] * 3]
    assert store.cancel(made.id) == cancelled
    ended = store.add(job(1))
    store.record("c", [done(each) for each in store.lease(CATS, 1, "c", 60)])
    assert store.cancel(ended.id).state == "done"
    store.close()


def test_the_same_request_twice_at_once_is_one_job(where: str) -> None:
    stores = [JobStore(where) for _ in range(4)]
    made: list[str] = []

    def add(store: JobStore) -> None:
        made.extend(store.add(job(2, key="upload 7")).id for _ in range(5))

    threads = [threading.Thread(target=add, args=(each,)) for each in stores]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert len(made) == 20
    assert len(set(made)) == 1
    assert len(stores[0].every()) == 1
    for store in stores:
        store.close()


def test_many_workers_take_every_item_once(where: str) -> None:
    """Four workers with leases that run out now and then; jobs must all end, each row with one result."""
    stores = [JobStore(where) for _ in range(4)]
    ids = [stores[0].add(job(40)).id for _ in range(5)]
    taken: Counter[tuple[int, int]] = Counter()
    lock = threading.Lock()

    def work(store: JobStore, name: str) -> None:
        turn = 0
        while store.has_work(CATS):
            turn += 1
            lease = f"{name}-{turn}"
            leased = store.lease(CATS, 7, lease, 0.02 if turn % 5 == 0 else 30)
            if turn % 5 == 0:
                time.sleep(0.03)
            with lock:
                for each in leased:
                    taken[each.job, each.number] += store.record(lease, [done(each)])

    threads = [threading.Thread(target=work, args=(store, f"w{i}")) for i, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(taken) == 200
    assert set(taken.values()) == {1}
    for id in ids:
        assert state(stores[0].get(id)) == ("done", 40, 0)
    for store in stores:
        store.close()


def test_the_last_two_results_at_once_end_the_job(where: str) -> None:
    stores = [JobStore(where), JobStore(where)]
    for _ in range(10):
        made = stores[0].add(job(2))
        leased = [store.lease(CATS, 1, name, 60)[0] for store, name in zip(stores, "ab")]
        barrier = threading.Barrier(2)

        def finish(store: JobStore, name: str, item: Leased, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(10)
            store.record(name, [done(item)])

        threads = [threading.Thread(target=finish, args=each) for each in zip(stores, "ab", leased)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert state(stores[1].get(made.id)) == ("done", 2, 0)
    for store in stores:
        store.close()


def test_old_jobs_are_forgotten_running_ones_never(where: str) -> None:
    store = JobStore(where)
    old, running = store.add(job(1)), store.add(job(1, pack="running.pack"))
    store.record("a", [done(each) for each in store.lease(CATS, 1, "a", 60)])
    assert store.remove_old(60) == 0
    assert store.remove_old(-1) == 1
    with pytest.raises(NoJob):
        store.get(old.id)
    assert store.get(running.id).state == "waiting"
    assert store.open_packs() == {"running.pack"}
    store.close()


def test_what_is_no_job_store_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist; `okulo serve --jobs` makes it"):
        JobStore(tmp_path / "missing.db", create=False)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (a)").connection.close()
    with pytest.raises(BadInput, match="is a database, but holds no jobs"):
        JobStore(tmp_path / "other.db", create=False)
    with pytest.raises(BadInput, match="cannot be used as a job store"):
        JobStore("postgresql://ann:secret@127.0.0.1:1/x")


def test_a_database_that_is_away_is_503_not_a_fault(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs.db")
    made = store.add(job(1))
    with sqlite3.connect(tmp_path / "jobs.db", isolation_level=None) as other:
        other.execute("DROP TABLE okulo_jobs")
    other.close()
    with pytest.raises(Unavailable, match="the job store cannot be used now") as refused:
        store.get(made.id)
    assert (refused.value.status, refused.value.retry_after) == (503, 5)
    store.close()


def test_a_pack_is_whole_or_absent(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "packs")
    with spool.writing("a.pack") as stream:
        stream.write(b"onetwo")
        assert not (tmp_path / "packs" / "a.pack").exists()
    assert spool.read("a.pack", 3, 3) == b"two"
    with pytest.raises(BadInput, match="too short"):
        spool.read("a.pack", 3, 4)
    with pytest.raises(BadInput, match="cannot be read"):
        spool.read("b.pack", 0, 1)
    with pytest.raises(RuntimeError), spool.writing("c.pack") as stream:
        raise RuntimeError
    assert [each.name for each in (tmp_path / "packs").iterdir()] == ["a.pack"]
    with pytest.raises(NoRoom, match="cannot be written"), spool.writing("no/such/" + "x" * 300) as stream:
        pass


def test_packs_left_over_from_a_kill_are_swept(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for name in ("open.pack", "over.pack", ".half.pack.x1.pack", "new.pack"):
        (tmp_path / name).write_bytes(b"x")
        if name != "new.pack":
            os.utime(tmp_path / name, (0, 0))
    (tmp_path / "else.txt").touch()
    os.utime(tmp_path / "else.txt", (0, 0))
    assert spool.sweep(lambda: {"open.pack"}) == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["else.txt", "new.pack", "open.pack"]
