"""What an embedding is learnt from: items with labels, batches of P labels with K items each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.train.data import Row


@dataclass(frozen=True)
class Labelled:
    """Items and which labels each has (one column a label)."""

    items: Items
    labels: Bool[np.ndarray, "n k"]
    names: tuple[str, ...]

    def only(self, rows: Int64[np.ndarray, " m"]) -> Bool[np.ndarray, "m k"]:
        """The labels of some rows."""
        return np.asarray(self.labels[rows])

    @property
    def single(self) -> bool:
        """Whether every item has exactly one label."""
        return bool((self.labels.sum(axis=1) == 1).all())


def choose_labelled(items: Items, val_share: float, seed: int) -> tuple[Labelled, Labelled, list[Row]]:
    """Take the items of `train` and `val`; without `val`, hold out a share of the labels, all their items.

    What is learnt must hold for labels that were never seen, so these are what it is measured on. `labels`
    (several an item) counts before `label`.
    """
    column = "labels" if "labels" in items.frame.columns else "label"
    if column not in items.frame.columns:
        raise BadInput("table", wanted="a column label or labels", got=", ".join(items.frame.columns))
    if "split" not in items.frame.columns:
        items = items.add(pl.DataFrame({"split": ["train"] * len(items)}))
    used = items.where(pl.col("split").is_in(["train", "val"]))
    if column == "label":
        empty = pl.col("label").is_null()
    else:
        empty = pl.col("labels").is_null() | (pl.col("labels").list.len() == 0)
    bad: list[Row] = [
        (path, "unlabelled", 0.5, "has no label") for path in used.where(empty).frame["path"].to_list()
    ]
    used = used.where(~empty)
    train, val = used.where(pl.col("split") == "train"), used.where(pl.col("split") == "val")
    sets = _sets(train, column)
    if not len(val) and val_share > 0:
        names = sorted(set().union(*sets)) if sets else []
        drawn = np.random.default_rng(seed).permutation(len(names))[: round(val_share * len(names))]
        held = {names[int(i)] for i in drawn}
        out = np.array([not held.isdisjoint(each) for each in sets], bool)
        train, val = train.where(pl.lit(pl.Series(~out))), train.where(pl.lit(pl.Series(out)))
    chosen = _labelled(train, column), _labelled(val, column)
    counts = chosen[0].labels.sum(axis=0)
    if (counts >= 2).sum() < 2:
        raise BadInput(
            "train", wanted="two labels or more that two items or more have", got=f"{len(train)} items"
        )
    return *chosen, bad


def _sets(items: Items, column: str) -> list[frozenset[str]]:
    values = items.frame[column].to_list()
    return [frozenset(each) if column == "labels" else frozenset((each,)) for each in values]


def _labelled(items: Items, column: str) -> Labelled:
    sets = _sets(items, column)
    names = tuple(sorted(frozenset().union(*sets))) if sets else ()
    number = {name: i for i, name in enumerate(names)}
    labels = np.zeros((len(sets), len(names)), bool)
    for row, each in enumerate(sets):
        labels[row, [number[name] for name in each]] = True
    return Labelled(items, labels, names)


def batches(
    labels: Bool[np.ndarray, "n k"], batch: int, each: int, seed: int, epoch: int
) -> Iterator[Int64[np.ndarray, " b"]]:
    """Rows of P labels, K = `each` items of every label; a label with fewer gives what it has, drawn again.

    Every label comes once in an epoch; randomness is a function of seed and epoch alone.

    >>> next(batches(np.eye(4, dtype=bool).repeat(2, axis=0), 4, 2, 0, 0)).tolist()
    [...]
    """
    rng = np.random.default_rng([seed, epoch])
    usable = np.flatnonzero(labels.sum(axis=0) >= 2)
    order = rng.permutation(usable)
    members = {int(label): np.flatnonzero(labels[:, label]) for label in order}
    many = max(1, batch // each)
    for start in range(0, len(order), many):
        part = order[start : start + many]
        if len(part) < 2:
            return
        yield np.concatenate(
            [rng.choice(members[int(label)], each, replace=len(members[int(label)]) < each) for label in part]
        )
