import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgres_server import postgres

from okulo.core.errors import BadInput
from okulo.curate.verdicts import Conflict, Decision, VerdictStore, open_store


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "verdicts.db")
    import psycopg

    url: str = request.getfixturevalue("postgres_url")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS okulo_verdicts, okulo_verdicts_meta")
    return url


def label(item: str, answer: str = "keep", value: str = "", seen: int = 0) -> Decision:
    return Decision(
        item=item, path=f"{item}.png", question="label", answer=answer, value=value, given="cat", seen=seen
    )


def test_the_last_verdict_holds_and_all_are_kept(where: str) -> None:
    with open_store(where) as store:
        first = store.record([label("a"), label("b", "change", "dog")], who="ann")
        assert [verdict.version for verdict in first] == [1, 1]
        store.record([label("a", "change", "cow", seen=1)], who="bob")
    with open_store(where, create=False) as store:
        held = store.current("label").select("item", "answer", "value", "given", "who", "version").rows()
        assert held == [("b", "change", "dog", "cat", "ann", 1), ("a", "change", "cow", "cat", "bob", 2)]
        assert store.history("a")["answer"].to_list() == ["keep", "change"]
        assert store.current("duplicate").is_empty()
        assert store.history()["at"].is_sorted()


def test_who_was_slower_learns_what_holds_and_loses_nothing(where: str) -> None:
    with open_store(where) as ann, open_store(where) as bob:
        ann.record([label("a", "change", "dog")], who="ann")
        with pytest.raises(Conflict, match="ann said change") as refused:
            bob.record([label("b"), label("a")], who="bob")
        assert refused.value.held is not None and refused.value.held.value == "dog"
        assert bob.current()["item"].to_list() == ["a"], "of several decisions all or none are stored"
        with pytest.raises(Conflict):
            bob.record([label("a", seen=7)], who="bob")
        bob.record([label("a", seen=1)], who="bob")
        assert [v.version for v in ann.held(["a", "x"])] == [2]


def test_undo_goes_back_step_by_step(where: str) -> None:
    with open_store(where) as store:
        store.record([label("a", "change", "dog")], who="ann")
        store.record([label("b")], who="ann")
        store.record([label("a", "remove", seen=1)], who="ann")
        undone = store.undo(who="ann")
        assert undone is not None
        assert (undone.item, undone.answer, undone.value, undone.version) == ("a", "change", "dog", 3)
        assert [store.undo(who="ann").item for _ in range(2)] == ["b", "a"]  # type: ignore[union-attr]
        assert store.undo(who="ann") is None
        assert store.current().is_empty()
        assert [(v.item, v.answer, v.version) for v in store.held(["a"])] == [("a", "", 4)]
        store.record([label("a", seen=4)], who="ann")
        assert store.current()["version"].to_list() == [5]
        assert len(store.history()) == 7, "undoing appends"


def test_what_was_stored_since_a_number_is_told_undone_or_not(where: str) -> None:
    with open_store(where) as store:
        (first,) = store.record([label("a")], who="ann")
        (second,) = store.record([label("b", "change", "dog")], who="bob")
        undone = store.undo(who="bob")
        assert undone is not None and undone.answer == ""
        assert store.since() == [first, second, undone]
        assert store.since(first.number) == [second, undone] and store.since(undone.number) == []


def test_undo_does_not_touch_what_somebody_else_decided_on_top(where: str) -> None:
    with open_store(where) as store:
        store.record([label("a")], who="ann")
        store.record([label("a", "remove", seen=1)], who="bob")
        with pytest.raises(Conflict, match="bob said remove"):
            store.undo(who="ann")
        assert store.undo(who="carl") is None
        assert store.current()["answer"].to_list() == ["remove"]


def test_a_step_is_undone_whole_or_not_at_all(where: str) -> None:
    with open_store(where) as store:
        store.record([label("z")], who="ann")
        store.record([label("a"), label("b"), label("c")], who="ann")
        undone = store.undo_step(who="ann")
        assert sorted(each.item for each in undone) == ["a", "b", "c"]
        assert store.current()["item"].to_list() == ["z"]
        store.record([label("a", seen=2), label("b", seen=2)], who="ann")
        store.record([label("b", "remove", seen=3)], who="bob")
        with pytest.raises(Conflict, match="bob said remove"):
            store.undo_step(who="ann")
        assert sorted(store.current()["item"].to_list()) == ["a", "b", "z"], "a was not taken back alone"
        assert store.undo_step(who="carl") == []


def test_two_files_of_the_same_bytes_share_their_label_but_not_which_is_kept(where: str) -> None:
    def copy(path: str, answer: str) -> Decision:
        return Decision(item="a", path=path, question="duplicate", answer=answer)

    with open_store(where) as store:
        store.record([copy("1.png", "keep"), copy("2.png", "drop")], who="ann")
        has = [
            Decision(item="a", path="1.png", question="has", answer="yes", value=v) for v in ("cat", "dog")
        ]
        store.record(has, who="ann")
        store.record([label("a")], who="ann")
        assert store.current()["version"].to_list() == [1] * 5
        with pytest.raises(Conflict):
            store.record([label("a")], who="bob")


def test_many_writers_at_once_lose_nothing_and_overwrite_nothing(where: str) -> None:
    """Each of 4 people counts a shared verdict up 15 times, again after every conflict."""
    with open_store(where) as store:
        store.record([label("shared", "change", "0")], who="start")
    failed: list[BaseException] = []

    def work(who: str) -> None:
        try:
            with open_store(where) as mine:
                done = 0
                while done < 15:
                    (held,) = mine.held(["shared"])
                    more = label("shared", "change", str(int(held.value) + 1), seen=held.version)
                    try:
                        mine.record([more], who=who)
                        done += 1
                    except Conflict:
                        continue
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(f"p{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    with open_store(where) as store:
        (held,) = store.held(["shared"])
        assert (held.value, held.version) == ("60", 61)
        assert sorted(store.history()["version"]) == list(range(1, 62))


WRITER = """
import sys
from okulo.curate.verdicts import Decision, open_store
with open_store(sys.argv[1]) as store:
    for i in range(100_000):
        decision = Decision(item=f"i{i}", path=f"{i}.png", question="label", answer="keep")
        store.record([decision], who="ann")
        print(i, flush=True)
"""


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(where: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, where], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(50):
        child.stdout.readline()
    child.kill()  # SIGKILL, in the middle of its work
    more = child.stdout.read().split()
    child.wait()
    child.stdout.close()
    acknowledged = 50 + len(more)
    with open_store(where, create=False) as store:
        stored = store.current()["item"].to_list()
    assert stored[:acknowledged] == [f"i{i}" for i in range(acknowledged)]
    assert len(stored) <= acknowledged + 1, "at most the one that was under way"
    if "://" not in where:
        with sqlite3.connect(where) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def test_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    with open_store(tmp_path / "v.db") as store, store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_what_is_no_store_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but long enough to look at" * 40)
    with pytest.raises(
        BadInput, match=r"text.db: cannot be used as a verdict store \(file is not a database"
    ):
        VerdictStore(tmp_path / "text.db", create=False)
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE x (a)")
    connection.close()
    with pytest.raises(BadInput, match="is a database, but holds no verdicts"):
        VerdictStore(tmp_path / "other.db", create=False)
    with pytest.raises(BadInput, match="does not exist"):
        VerdictStore(tmp_path / "missing.db", create=False)
    assert not (tmp_path / "missing.db").exists()
    with pytest.raises(BadInput, match="expected SQLite or PostgreSQL, got mysql"):
        VerdictStore("mysql://localhost/x")
    with pytest.raises(BadInput, match="cannot be used as a verdict store") as refused:
        VerdictStore("postgresql://ann:secret@127.0.0.1:1/x")
    assert "secret" not in str(refused.value)


def test_a_store_of_a_later_format_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path / "v.db"):
        pass
    with sqlite3.connect(tmp_path / "v.db") as connection:
        connection.execute("UPDATE okulo_verdicts_meta SET value = '9'")
    connection.close()
    with pytest.raises(BadInput, match="expected verdicts of format 1, got 9; update okulo"):
        VerdictStore(tmp_path / "v.db")


def test_decisions_are_checked(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="value: expected the class that is meant"):
        label("a", "change")
    with pytest.raises(BadInput, match="question: expected one of label, has, duplicate, got 'lable'"):
        Decision(item="a", path="a", question="lable", answer="keep")
    with pytest.raises(BadInput, match="item: expected the item's id and path"):
        label("")
    with open_store(tmp_path / "v.db") as store, pytest.raises(BadInput, match="who: expected the name"):
        store.record([label("a")], who="")
