"""The review page's server: queues, verdicts, addresses, the command."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from okulo.core.errors import BadInput
from okulo.curate.verdicts import Conflict
from okulo.web.review.command import ReviewParams, run
from okulo.web.review.held import Held
from okulo.web.review.site import Site
from okulo.web.review.table import ReviewTable, Where
from okulo.web.server import bind

from .review_site import HOSTILE, make_table


def decision(site: Site, row: int, answer: str = "keep", **more: Any) -> dict[str, Any]:
    return {"row": row, "item": site.table.frame["id"][row], "question": "label", "answer": answer, **more}


def test_queues_hold_what_was_asked_for_the_surest_first(site: Site) -> None:
    assert site.queue(Where(issue="=label"), "*").tolist() == [5, 11, 17, 23]
    assert site.queue(Where(issue="+"), "*").tolist() == [5, 11, 17, 23, 24, 25, 26, 27]
    assert len(site.queue(Where(), "*")) == 28 and len(site.queue(Where(label="-"), "*")) == 0
    assert site.queue(Where(issue="=label", split="=val"), "*").tolist() == [11, 23]
    assert site.queue(Where(label="=no such"), "*").tolist() == []
    assert site.queue(Where(label=f"={HOSTILE}"), "*").tolist() == [24]
    site.held.decide([decision(site, 11), decision(site, 17, "skip")], "ann")
    assert site.queue(Where(issue="=label"), "open").tolist() == [5, 23]
    assert site.queue(Where(issue="=label"), "decided").tolist() == [11]
    assert site.progress(Where(issue="=label")) == {"open": 2, "skipped": 1, "decided": 1}


def test_a_rank_goes_before_the_severity(tmp_path: Path) -> None:
    items = make_table(tmp_path)
    ranks = pl.Series([None] * 26 + [2, 1], dtype=pl.Int32)
    pl.read_parquet(items).with_columns(rank=ranks).write_parquet(items)
    assert ReviewTable(items).order[:3].tolist() == [27, 26, 0]


def test_groups_come_worst_first_and_say_why(site: Site) -> None:
    first, second = site.table.groups
    assert (first.rows, first.leak, first.contradiction) == ((3, 4), True, True)
    assert (second.rows, second.leak, second.contradiction) == ((0, 1, 2), False, True)
    assert site.groups("leak", "open") == [(0, 2)] and len(site.groups("*", "*")) == 2


def test_tables_without_anything_but_paths_can_be_looked_through(tmp_path: Path) -> None:
    pl.DataFrame({"id": ["a", "b"], "path": ["a.png", "b.png"]}).write_parquet(tmp_path / "t.parquet")
    table = ReviewTable(tmp_path / "t.parquet")
    assert table.queue(Where()).tolist() == [0, 1] and table.groups == () and table.classes == ()
    assert table.counts("label") == [("", 2)]
    pl.DataFrame(schema={"id": pl.String, "path": pl.String}).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(BadInput, match="has no items"):
        ReviewTable(tmp_path / "e.parquet")


def test_of_several_labels_each_counts(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"id": ["a", "b", "c"], "path": ["a", "b", "c"], "labels": [["x", "y"], ["x"], None]}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    table = ReviewTable(tmp_path / "t.parquet")
    assert table.several and table.counts("label") == [("x", 2), ("y", 1), ("", 1)]
    assert table.queue(Where(label="=x")).tolist() == [0, 1]
    assert table.queue(Where(label="-")).tolist() == [2]


def test_a_verdict_made_on_what_no_longer_holds_is_refused(site: Site, client: TestClient) -> None:
    first = client.post("/api/verdicts", json={"decisions": [decision(site, 5, "change", value=" dog ")]})
    assert first.status_code == 200 and first.json()["verdicts"][0]["value"] == "dog"
    again = client.post("/api/verdicts", json={"who": "bob", "decisions": [decision(site, 5)]})
    assert again.status_code == 409 and again.json()["held"]["who"] == "ann"
    seen = client.post("/api/verdicts", json={"who": "bob", "decisions": [decision(site, 5, seen=1)]})
    assert seen.status_code == 200
    said = client.get("/api/items?rows=5").json()[0]
    assert [(each["answer"], each["who"], each["version"]) for each in said["verdicts"]] == [
        ("keep", "bob", 2)
    ]


def test_many_people_at_once_lose_no_verdict(site: Site) -> None:
    refused: list[str] = []

    def work(who: str) -> None:
        for row in range(20):
            try:
                site.held.decide([decision(site, row)], who)
            except Conflict:
                refused.append(who)

    threads = [threading.Thread(target=work, args=(f"p{i}",)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    history = site.held.store.history()
    assert len(history) == 20 and len(refused) == 60
    assert (site.held.labels() == 2).sum() == 20


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"decisions": []}, "at least one"),
        ({"decisions": "all"}, "a list of objects"),
        ({"decisions": [{"row": 99}]}, "row: expected a number from 0 to 27"),
        ({"decisions": [{"row": 1, "item": "another"}]}, "the table changed; reload"),
        ({"decisions": [{"row": 1, "item": f"{1:032x}", "answer": "burn"}]}, "answer: expected one of"),
        ({"decisions": [{"row": 1, "item": f"{1:032x}", "answer": "change"}]}, "the class that is meant"),
        ({"decisions": [{"row": 1, "item": f"{1:032x}", "answer": "change", "value": "a\nb"}]}, "one line"),
        ({"decisions": [{"row": 1, "item": f"{1:032x}", "answer": "keep", "seen": "x"}]}, "seen"),
        ({"decisions": [{"row": 1, "item": f"{1:032x}", "answer": "keep"}], "who": "x" * 201}, "who"),
        ([1], "an object"),
    ],
)
def test_verdicts_that_make_no_sense_are_refused_and_not_stored(
    site: Site, client: TestClient, said: Any, message: str
) -> None:
    answer = client.post("/api/verdicts", json=said)
    assert answer.status_code == 400 and message in answer.json()["error"], answer.text
    assert site.held.store.history().is_empty()


def test_undo_takes_back_a_whole_step_also_after_a_restart(site: Site) -> None:
    groups = [{**decision(site, row, "drop"), "question": "duplicate"} for row in (0, 1, 2)]
    site.held.decide([decision(site, 7)], "ann")
    site.held.decide(groups, "ann")
    site.held.decide([decision(site, 8)], "bob")
    anew = Held(site.table, site.held.store)
    assert {each.path for each in anew.undo("ann")} == {"p/000.png", "p/001.png", "p/002.png"}
    assert [each.path for each in anew.undo("ann")] == ["p/007.png"]
    assert anew.undo("ann") == [] and anew.labels().sum() == 2  # bob's stands
    site.held.refresh()
    assert (site.held.labels() == anew.labels()).all()
    assert [each.answer for each in site.held.of(0)] == [""]


def test_what_others_store_elsewhere_is_told(site: Site, client: TestClient) -> None:
    before = client.get("/api/changes?since=0").json()
    other = Held(site.table, site.held.store)
    other.decide([decision(site, 3, "change", value="dog")], "bob")
    told = client.get(f"/api/changes?since={before['newest']}").json()
    assert [(each["who"], each["rows"]) for each in told["verdicts"]] == [("bob", [3])]
    assert client.get(f"/api/changes?since={told['newest']}").json()["verdicts"] == []


def test_answers_forbid_other_hosts_and_framing(client: TestClient) -> None:
    said = client.get("/")
    assert said.status_code == 200 and "review" in said.text
    assert "default-src 'none'" in said.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in said.headers["content-security-policy"]
    assert said.headers["cross-origin-resource-policy"] == "same-origin"
    assert client.get("/static/review/page.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/static/../review/app.py").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "items?rows=1,x", "items?rows=-1", "items?rows=28", "queue?state=odd", "groups?kind=odd", "groups/9",
        "neighbours?row=x", "neighbours?row=99", "neighbours?row=24", "map/points?method=odd",
        "map/codes?by=path", "changes?since=x",
    ],
)  # fmt: skip
def test_questions_that_make_no_sense_get_one_sentence(client: TestClient, path: str) -> None:
    said = client.get(f"/api/{path}")
    assert said.status_code == 400 and len(said.json()["error"]) > 10


def test_a_taken_port_and_an_odd_address_are_clear_errors(tmp_path: Path) -> None:
    items = make_table(tmp_path)
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=r"cannot listen there.*--port 0"):
            run(ReviewParams(items=items, port=port, cache=tmp_path / "c"))
    with pytest.raises(BadInput, match=r"no address of this machine|cannot listen"):
        bind("no-such-host.invalid", 0)


@pytest.mark.parametrize("where", ["no-database", "mysql://x/y"])
def test_a_verdict_store_that_is_none_is_one_clear_line(tmp_path: Path, where: str) -> None:
    items = make_table(tmp_path)
    (tmp_path / "no-database").write_text("no database at all, but long enough to be looked at\n" * 50)
    path = where if "://" in where else str(tmp_path / where)
    done = subprocess.run(
        [sys.executable, "-m", "okulo.cli.main", "review", str(items), "--port", "0", "--verdicts", path],
        capture_output=True, text=True, timeout=60, check=False,
        env={"XDG_CACHE_HOME": str(tmp_path / "home"), "PATH": "/usr/bin"},
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
