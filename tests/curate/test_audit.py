from pathlib import Path

import polars as pl
from tests.io.pictures import write_picture

from okulo.core.table import COLUMNS
from okulo.curate.audit import GENERAL, KINDS, Limits, audit

HERE = Path("/nowhere")


def table(**columns: list[object]) -> pl.DataFrame:
    rows = len(next(iter(columns.values())))
    whole = {
        "id": [str(n) for n in range(rows)],
        "path": [f"{n}.png" for n in range(rows)],
        "width": [20] * rows,
        "height": [20] * rows,
    } | columns
    return pl.DataFrame(
        [pl.Series(name, values, dtype=COLUMNS[name].dtype) for name, values in whole.items()]
    )


def found(frame: pl.DataFrame) -> set[tuple[str, str]]:
    rows = audit(frame, HERE, Limits())
    assert {kind for _, kind, _, _ in rows} <= set(KINDS)
    assert all(0 < severity <= 1 for _, _, severity, _ in rows)
    return {(item, kind) for item, kind, _, _ in rows}


def test_a_clean_table_has_no_findings() -> None:
    assert found(table(label=["a", "b"])) == set()
    assert found(table(id=[])) == set()


def test_identical_files_their_contradictions_and_leaks() -> None:
    frame = table(id=["x", "x", "x", "y", "y", "z"], label=["a", "b", "a", "a", "a", "b"],
                  split=["train", "train", "train", "train", "test", "test"])  # fmt: skip
    assert found(frame) == {
        ("1.png", "identical"), ("2.png", "identical"), ("4.png", "identical"),
        ("0.png", "contradiction"), ("1.png", "contradiction"), ("2.png", "contradiction"),
        ("3.png", "leak"), ("4.png", "leak"),
    }  # fmt: skip


def test_shapes() -> None:
    assert found(table(width=[7, 8, 8, 64, 65], height=[20, 8, 65, 8, 8])) == {
        ("0.png", "tiny"), ("2.png", "odd-shape"), ("4.png", "odd-shape"),
    }  # fmt: skip


def test_missing_labels_are_said_one_by_one_or_for_a_whole_split() -> None:
    assert found(table(label=["a", None])) == {("1.png", "no-label")}
    frame = table(label=["a", None, None, None], split=["train", "train", "test", "test"])
    assert found(frame) == {("1.png", "no-label"), ("split test", "unlabelled")}


def test_classes_too_small_for_every_split() -> None:
    frame = table(label=["a", "a", "b"], split=["train", "val", "train"])
    assert found(frame) == {("class b", "small-class")}
    assert "small-class" in GENERAL
    frame = table(labels=[["a", "b"], ["a"], []], split=["train", "val", "val"])
    assert found(frame) == {("class b", "small-class")}


def test_boxes() -> None:
    def box(*corners: float) -> dict[str, object]:
        return dict(zip(("x0", "y0", "x1", "y1"), corners)) | {"label": "a"}

    frame = table(
        boxes=[[box(0, 0, 20, 20.5)], [box(5, 5, 5, 9)], [box(9, 9, 5, 5), box(0, 0, 3, 30)], [], None]
    )
    assert found(frame) == {("1.png", "box-empty"), ("2.png", "box-empty"), ("2.png", "box-outside")}


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    write_picture(tmp_path / "good.png", size=(20, 20))
    write_picture(tmp_path / "small.png", size=(10, 20))
    frame = table(mask=["good.png", "small.png", "none.png", None])
    rows = audit(frame, tmp_path, Limits())
    assert [(item, kind) for item, kind, _, _ in rows] == [("1.png", "bad-mask"), ("2.png", "bad-mask")]
