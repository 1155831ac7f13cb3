"""audit → verdicts → apply, and pick, as they are typed."""

import json
from pathlib import Path

import polars as pl
import pytest

from okulo.cli.apply import apply
from okulo.cli.audit import audit
from okulo.cli.pick import pick
from okulo.curate.verdicts import Decision, open_store

from ..curate.labelled import plant_digits


def test_from_a_spoiled_table_to_a_cleaned_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted = plant_digits(tmp_path, files=True)
    assert audit(planted.table) == 0
    out = capsys.readouterr().out
    assert "800 of 800 labels judged by a probe on embedding" in out
    assert "wrong labels: about" in out and "look at the first" in out
    queue = pl.read_parquet(planted.table).sort("rank").head(90)
    with open_store(tmp_path / "verdicts.db") as store:
        for row in queue.iter_rows(named=True):
            right = planted.truth[int(row["path"][:4])]
            about = {"item": row["id"], "path": row["path"], "given": row["label"], "value": right}
            answer = "keep" if right == row["label"] else "change"
            store.record([Decision(question="label", answer=answer, **about)], who="ann")
    cleaned = tmp_path / "cleaned.parquet"
    assert apply(planted.table, verdicts=str(tmp_path / "verdicts.db"), output=cleaned) == 0
    out = capsys.readouterr().out
    assert "90 verdicts, 800 of 800 items written" in out
    assert "okulo evaluate MODEL" in out and "okulo train" in out
    label = pl.read_parquet(cleaned)["label"].to_list()
    wrong = sum(a != b for a, b in zip(label, planted.truth))
    assert wrong <= 5 < planted.wrong.sum()


def test_pick_prints_what_it_chose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted = plant_digits(tmp_path)
    assert (
        pick(planted.table, number=20, pool="split = 'test'", output=tmp_path / "p.parquet", as_json=True)
        == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert (said["pool"], said["chosen"]) == (160, 20)
    assert pick(planted.table, number=20, pool="split = 'test'", output=tmp_path / "p.parquet") == 0
    out = capsys.readouterr().out
    assert "20 of 160 items chosen, method combined" in out and "asked: a probe fitted to 640 labels" in out
    assert pick(planted.table, output=tmp_path / "q.parquet") == 2
    assert "every item has a label" in capsys.readouterr().err
