"""Conditions: what they let through, and what is refused."""

import contextlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okulo.core.errors import BadInput
from okulo.search.where import where

FRAME = pl.DataFrame(
    {
        "split": ["train", "test", None],
        "width": [3, 4, 5],
        "labels": [["a", "b"], ["c"], None],
        'o"dd': [1, 2, 3],
    }
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("split = 'train'", [True, False, False]),
        ("split = 'train' OR width > 4", [True, False, True]),
        ("split IS NULL", [False, False, True]),
        ("split ILIKE 'T%' and not (width = 4)", [True, False, False]),
        ("array_contains(labels, 'a')", [True, False, False]),
        ("width IN (3, 5)", [True, False, True]),
        ("length(split) = 4", [False, True, False]),
        ("split = 'it''s'", [False, False, False]),
        ("  ", [True, True, True]),
        ("1 = 1", [True, True, True]),
    ],
)
def test_it_lets_through(text: str, kept: list[bool]) -> None:
    assert where(FRAME, text).tolist() == kept


@pytest.mark.parametrize(
    "text",
    [
        "read_csv('/etc/passwd')",
        "split = 'x'; drop table y", "(select 1)", "repeat(split, 1000000000) = 'a'",
        "width", "splt = 'a'", "split = 5", "((((", "width >", "'a", "split -- x", "🎉", "x" * 3000, "(" * 60,
        "width = 1e400", "case when 1 then 2 end", 'o"dd = 1', "now()", "\x00",
    ],
)  # fmt: skip
def test_it_refuses(text: str) -> None:
    with pytest.raises(BadInput, match="where"):
        where(FRAME, text)


@given(st.text(alphabet="abwidthspl'\"()=<>,. 0129*/-+;%&|!", max_size=40))
def test_anything_is_answered_or_refused(text: str) -> None:
    with contextlib.suppress(BadInput):
        assert len(where(FRAME, text)) == 3
