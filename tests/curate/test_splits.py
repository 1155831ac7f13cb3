"""Shares hold, copies never straddle, and the order of rows is nothing."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okulo.core.errors import BadInput
from okulo.curate.splits import Shares, assign_splits, find_units, parse_shares

SHARES = st.sampled_from(
    [(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.9, 0.1, 0.0), (1 / 3, 1 / 3, 1 / 3), (0.5, 0.0, 0.5)]
)
SPLITS = ("train", "val", "test")


def split(frame: pl.DataFrame, shares: Shares = (0.8, 0.1, 0.1), seed: int = 0) -> pl.DataFrame:
    return frame.with_columns(assign_splits(frame, shares, np.random.default_rng(seed)))


def named(count: int) -> list[str]:
    return [f"{number * 2654435761 % 2**32:032x}" for number in range(count)]


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=8))
    labels = [f"class {number}" for number, size in enumerate(sizes) for _ in range(size)]
    frame = pl.DataFrame({"id": named(len(labels)), "label": labels})
    if draw(st.booleans()):
        groups = draw(st.lists(st.none() | st.integers(0, 20), min_size=len(frame), max_size=len(frame)))
        frame = frame.with_columns(pl.Series("group", groups, dtype=pl.Int64))
    if draw(st.booleans()):  # identical files
        copied = draw(st.lists(st.integers(0, len(frame) - 1), max_size=5))
        frame = pl.concat([frame, frame[copied]])
    return frame


@given(frame=tables(), shares=SHARES, seed=st.integers(0, 5))
@settings(max_examples=50)
def test_copies_never_straddle(frame: pl.DataFrame, shares: Shares, seed: int) -> None:
    done = split(frame, shares, seed)
    assert set(done["split"]) <= {name for name, share in zip(SPLITS, shares) if share}
    for key in ("id", "group"):
        if key in frame.columns:
            assert done.drop_nulls(key).group_by(key).agg(pl.col("split").n_unique())["split"].max() in (
                1,
                None,
            )


@given(frame=tables(), shares=SHARES, seed=st.integers(0, 5))
@settings(max_examples=50)
def test_the_order_of_rows_is_nothing(frame: pl.DataFrame, shares: Shares, seed: int) -> None:
    frame = frame.with_row_index("row")
    mixed = frame.sample(fraction=1, shuffle=True, seed=seed)
    assert split(frame, shares, 3).sort("row")["split"].equals(split(mixed, shares, 3).sort("row")["split"])


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12), shares=SHARES, seed=st.integers(0, 9))
@settings(max_examples=50)
def test_every_class_is_within_one_item_of_its_share(sizes: list[int], shares: Shares, seed: int) -> None:
    labels = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    done = split(pl.DataFrame({"id": named(len(labels)), "label": labels}), shares, seed)
    for number, size in enumerate(sizes):
        mine = done.filter(pl.col("label") == str(number))["split"]
        for name, share in zip(SPLITS, shares):
            assert abs((mine == name).sum() - share * size) < 1
    for name, share in zip(SPLITS, shares):
        assert abs((done["split"] == name).sum() - share * len(done)) <= 2


def test_many_tiny_classes_still_give_the_whole_its_shares() -> None:
    frame = pl.DataFrame({"id": named(3000), "label": [str(number // 3) for number in range(3000)]})
    assert dict(split(frame)["split"].value_counts().rows()) == {"train": 2400, "val": 300, "test": 300}


def test_several_labels_are_each_held_in_proportion() -> None:
    rng = np.random.default_rng(1)
    chances = {"cat": 0.5, "dog": 0.2, "fox": 0.03}
    said = [[name for name, chance in chances.items() if rng.random() < chance] for _ in range(2000)]
    frame = pl.DataFrame({"id": named(2000), "labels": said})
    done = split(frame, (0.7, 0.2, 0.1)).explode("labels")
    for name in chances:
        mine = done.filter(pl.col("labels") == name)["split"]
        for part, share in zip(SPLITS, (0.7, 0.2, 0.1)):
            assert abs((mine == part).mean() - share) < 0.02


def test_groups_of_very_different_size_come_near_the_shares() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(300), rng.integers(1, 30, 300))
    labels = [f"class {number % 3}" for number in groups]
    frame = pl.DataFrame({"id": named(len(groups)), "group": groups, "label": labels})
    for part, share in zip(SPLITS, (0.8, 0.1, 0.1)):
        for label in set(labels):
            mine = split(frame).filter(pl.col("label") == label)["split"]
            assert abs((mine == part).mean() - share) < 0.02


def test_another_seed_gives_another_split_and_the_same_seed_the_same() -> None:
    frame = pl.DataFrame({"id": named(100), "label": ["x"] * 100})
    assert split(frame, seed=1)["split"].equals(split(frame, seed=1)["split"])
    assert not split(frame, seed=1)["split"].equals(split(frame, seed=2)["split"])


def test_rows_that_have_a_split_keep_it_and_their_copies_join_them() -> None:
    frame = pl.DataFrame(
        {
            "id": named(100),
            "group": [n // 2 for n in range(100)],
            "split": ["test" if n < 10 and n % 2 else None for n in range(100)],
        }
    )
    done = split(frame, (0.8, 0.1, 0.1))["split"].to_list()
    assert done[:10] == ["test"] * 10
    assert (done.count("train"), done.count("val"), done.count("test")) == (
        80,
        10,
        10,
    )  # test is full already


def test_a_full_table_and_an_empty_one_stay_as_they_are() -> None:
    frame = pl.DataFrame({"id": named(9), "split": ["val"] * 9})
    assert split(frame)["split"].to_list() == ["val"] * 9
    assert split(pl.DataFrame({"id": []}, schema={"id": pl.String})).is_empty()


def test_units_join_through_chains_of_groups_and_identical_files() -> None:
    frame = pl.DataFrame({"id": ["a", "b", "b", "c", "d"], "group": [1, 1, 2, 2, None]})
    assert find_units(frame).tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "text", ["", "a/b", "0.5", "0.5/0.6", "1/1/-1", "0.2/0.2/0.2/0.4", "nan/1", "0.8,0.2"]
)
def test_shares_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"^split: expected shares"):
        parse_shares(text)
