from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okulo.core.errors import BadInput
from okulo.core.table import COLUMNS, Items, add_columns, check_table, fingerprint

TWO = pl.DataFrame(
    {"id": ["a", "b"], "path": ["a.png", "b.png"], "label": ["cat", "dog"], "split": ["train", "test"]}
)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (TWO.drop("path"), "table: expected a column 'path', got id, label, split; is this a table of items"),
        (
            TWO.with_columns(path=pl.lit(None, pl.String)),
            "column path: expected a value in every row, got empty",
        ),
        (TWO.with_columns(width=pl.lit("3")), "column width: expected Int32, got String"),
        (TWO.with_columns(split=pl.lit("dev")), "column split: expected train, val or test, got dev"),
        (
            TWO.with_columns(embedding=pl.Series([[1.0], [2.0]])),
            r"column embedding: expected Array\(Float32\)",
        ),
    ],
)
def test_a_wrong_table_is_named(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_table(frame)


def test_columns_of_the_users_own_and_empty_ones_are_fine() -> None:
    check_table(TWO.with_columns(camera=pl.lit(7), keep=pl.lit(None)))
    check_table(TWO.with_columns(embedding=pl.Series([[1.0], [2.0]], dtype=pl.Array(pl.Float32, 1))))


def test_no_column_is_overwritten_silently() -> None:
    new = pl.DataFrame({"label": ["dog", "dog"]})
    with pytest.raises(BadInput, match="table: already has label; write to another file, or ask to replace"):
        add_columns(TWO, new)
    assert add_columns(TWO, new, replace=True)["label"].to_list() == ["dog", "dog"]
    with pytest.raises(BadInput, match="columns: expected 2 rows, got 1"):
        add_columns(TWO, pl.DataFrame({"keep": [True]}))


@given(st.permutations(range(4)))
def test_the_fingerprint_knows_no_order(order: list[int]) -> None:
    frame = pl.DataFrame({"id": ["a", "b", "c", "d"], "label": ["x", "y", "x", None]})
    assert fingerprint(frame[order]) == fingerprint(frame)


def test_the_fingerprint_sees_what_is_said_but_not_what_a_model_guessed() -> None:
    assert fingerprint(TWO.with_columns(label=pl.lit("cat"))) != fingerprint(TWO)
    assert fingerprint(TWO.with_columns(pred=pl.lit("cat"), path=pl.lit("elsewhere"))) == fingerprint(TWO)


def test_an_empty_split_says_what_there_is() -> None:
    items = Items(TWO, Path("/data"))
    assert items.in_split("test").frame["id"].to_list() == ["b"]
    with pytest.raises(BadInput, match=r"split val: .*the table has"):
        items.in_split("val")
    with pytest.raises(BadInput, match="has no column split"):
        Items(TWO.drop("split"), Path("/data")).in_split("val")


def test_every_column_says_what_it_is() -> None:
    assert all(column.doc for column in COLUMNS.values())
