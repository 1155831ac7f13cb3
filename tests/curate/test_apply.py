from pathlib import Path

import polars as pl
import pytest

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.curate.apply import ApplyParams, ApplyReport, run
from okulo.curate.verdicts import Decision, open_store
from okulo.io.tables import write_items


def table(folder: Path, **columns: object) -> Path:
    frame = pl.DataFrame(
        {
            "id": ["a", "b", "c", "d", "d"],
            "path": ["a.png", "b.png", "c.png", "d1.png", "d2.png"],
            "split": ["train", "train", "test", "test", "train"],
            "label": ["cat", "cat", "dog", "dog", "cat"],
        }
    ).with_columns(**columns)
    write_items(Items(frame, folder), folder / "items.parquet")
    return folder / "items.parquet"


def decide(folder: Path, *decisions: tuple[str, ...]) -> str:
    with open_store(folder / "v.db") as store:
        for item, path, question, answer, value, given in decisions:
            store.record(
                [Decision(item=item, path=path, question=question, answer=answer, value=value, given=given)],
                who="ann",
            )
    return str(folder / "v.db")


def applied(items: Path, verdicts: str, **options: object) -> tuple[pl.DataFrame, ApplyReport]:
    report = run(
        ApplyParams(items=items, verdicts=verdicts, output=items.with_name("cleaned.parquet"), **options)  # type: ignore[arg-type]
    )
    return pl.read_parquet(report.output), report


def test_labels_change_and_the_old_ones_stay_beside(tmp_path: Path) -> None:
    verdicts = decide(
        tmp_path,
        ("a", "a.png", "label", "change", "dog", "cat"),
        ("b", "b.png", "label", "keep", "", "cat"),
        ("c", "c.png", "label", "remove", "", "dog"),
        ("d", "d1.png", "label", "change", "cow", "dog"),
        ("x", "x.png", "label", "keep", "", "cat"),
    )
    items = table(tmp_path)
    before = items.read_bytes()
    frame, report = applied(items, verdicts)
    assert frame.select("path", "label", "label_before", "verdict").rows() == [
        ("a.png", "dog", "cat", "change to dog"),
        ("b.png", "cat", "cat", "keep"),
        ("d1.png", "cow", "dog", "change to cow"),
        ("d2.png", "cow", "cat", "change to cow"),
    ], "files of the same bytes have one label"
    assert items.read_bytes() == before
    assert report.splits == {
        "train": {"items": 3, "reviewed": 3, "changed": 2, "left out": 0},
        "test": {"items": 2, "reviewed": 2, "changed": 1, "left out": 1},
    }
    assert report.transitions == [("cat", "cow", 1), ("cat", "dog", 1), ("dog", "cow", 1)]
    assert (report.verdicts, report.unknown, report.new_classes) == (5, 1, ["cow"])
    assert not report.one_sided
    assert report.before.startswith("okulo evaluate MODEL ") and "--split test" in report.after[0]
    assert len(applied(items, verdicts, leave_out=False)[0]) == 5


def test_a_verdict_on_a_label_that_is_no_longer_there_is_not_applied(tmp_path: Path) -> None:
    verdicts = decide(
        tmp_path,
        ("a", "a.png", "label", "change", "dog", "horse"),
        ("b", "b.png", "label", "skip", "", "cat"),
        ("d", "d2.png", "label", "change", "dog", "cat"),
    )
    frame, report = applied(table(tmp_path), verdicts)
    assert frame["label"].to_list() == ["cat", "cat", "dog", "dog", "dog"]
    assert (report.stale, report.answers) == (1, {"label: change": 2, "label: skip": 1})
    assert report.one_sided, "the one label that changed is in train"


def test_which_copy_is_kept(tmp_path: Path) -> None:
    verdicts = decide(
        tmp_path,
        ("d", "d1.png", "duplicate", "keep", "", ""),
        ("d", "d2.png", "duplicate", "drop", "", ""),
        ("a", "a.png", "duplicate", "distinct", "", ""),
    )
    frame, _ = applied(table(tmp_path, keep=pl.Series([False, None, True, False, True])), verdicts)
    assert dict(frame.select("path", "keep").rows()) == {
        "a.png": True, "b.png": None, "c.png": True, "d1.png": True,
    }  # fmt: skip


def test_several_labels(tmp_path: Path) -> None:
    labels = pl.Series([["cat"], [], ["dog"], ["dog"], []], dtype=pl.List(pl.String))
    looked = pl.Series([["cat"], ["cat"], ["dog"], ["dog"], ["dog"]])
    items = table(tmp_path, labels=labels, labelled_for=looked)
    verdicts = decide(
        tmp_path,
        ("a", "a.png", "has", "no", "cat", ""),
        ("b", "b.png", "has", "yes", "dog", ""),
        ("c", "c.png", "has", "no", "cat", ""),
    )
    frame, report = applied(items, verdicts)
    assert frame["labels"].to_list() == [[], ["dog"], ["dog"], ["dog"], []]
    assert frame["labelled_for"].to_list()[:3] == [["cat"], ["cat", "dog"], ["dog", "cat"]]
    assert frame["labels_before"].to_list() == labels.to_list()
    assert [each["changed"] for each in report.splits.values()] == [2, 0]


def test_bad_input_writes_nothing(tmp_path: Path) -> None:
    items = table(tmp_path)
    verdicts = decide(tmp_path, ("a", "a.png", "label", "change", "dgo", "cat"))
    with pytest.raises(BadInput, match="verdicts: expected one of cat, dog, got dgo"):
        applied(items, verdicts, classes="cat,dog")
    with pytest.raises(BadInput, match="does not exist; the review page writes verdicts"):
        applied(items, str(tmp_path / "none.db"))
    with pytest.raises(BadInput, match="output: is the table that is read"):
        run(ApplyParams(items=items, verdicts=verdicts, output=items))
    assert not (tmp_path / "cleaned.parquet").exists()
    applied(items, verdicts)
    with pytest.raises(BadInput, match="already has verdict, label_before"):
        run(ApplyParams(items=tmp_path / "cleaned.parquet", verdicts=verdicts, output=tmp_path / "x.parquet"))
