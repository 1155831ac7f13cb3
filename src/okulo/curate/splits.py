"""Splits: stratified by label, copies never straddle, the same for a table whatever the order of its rows."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from okulo.core.errors import BadInput
from okulo.core.table import SPLITS

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Shares = tuple[float, float, float]
"""Of train, val and test; they sum to 1."""


def parse_shares(text: str) -> Shares:
    """Read shares of train, val and test.

    >>> parse_shares("0.8/0.1/0.1"), parse_shares("80/20")
    ((0.8, 0.1, 0.1), (0.8, 0.2, 0.0))
    >>> parse_shares("0.8/0.1")
    Traceback (most recent call last):
    okulo.core.errors.BadInput: split: expected shares that sum to 1 (or 100), got '0.8/0.1'
    """
    wanted = "shares of train/val/test such as 0.8/0.1/0.1"
    try:
        shares = [float(part) for part in text.split("/")]
    except ValueError as error:
        raise BadInput("split", wanted=wanted, got=repr(text)) from error
    if not 2 <= len(shares) <= 3 or not all(0 <= share <= 100 for share in shares):
        raise BadInput("split", wanted=wanted, got=repr(text))
    total = sum(shares)
    if min(abs(total - 1), abs(total - 100)) > 1e-6:
        raise BadInput("split", wanted="shares that sum to 1 (or 100)", got=repr(text))
    train, val, test = [*shares, 0.0][:3]
    return train / total, val / total, test / total


def assign_splits(frame: pl.DataFrame, shares: Shares, rng: np.random.Generator) -> pl.Series:
    """Give every row a split: `train`, `val` or `test`, in these shares of all rows and of each label.

    Rows with the same `id` (identical bytes) or the same `group` stay together. Rows that have a `split` keep
    it; rows of their group without one join it. `label` or `labels` are held in proportion, the rarest first
    (iterative stratification, Sechidis et al. 2011, doi 10.1007/978-3-642-23808-6_10); what cannot be shared
    out evenly is carried to the next label, so that the whole comes out right too. The rarer, the coarser:
    each label is within one unit (item or group) of its share.

    >>> frame = pl.DataFrame({"id": list("abcdefghij"), "label": ["cat"] * 5 + ["dog"] * 5})
    >>> split = assign_splits(frame, (0.6, 0.2, 0.2), np.random.default_rng(0))
    >>> frame.with_columns(split).group_by("label", "split").len().sort("label", "split").rows()
    [('cat', 'test', 1), ('cat', 'train', 3), ('cat', 'val', 1),
     ('dog', 'test', 1), ('dog', 'train', 3), ('dog', 'val', 1)]
    """
    if frame.is_empty():
        return pl.Series("split", [], dtype=pl.String)
    from scipy.sparse import csr_array

    unit = find_units(frame)
    row, column, names = _label_pairs(frame)
    size = np.bincount(unit)
    pairs = (np.ones(len(row)), (unit[row], column))
    weight = csr_array(pairs, shape=(len(size), len(names)))  # a dense one would not fit for many classes
    weight.sum_duplicates()
    fixed = _fixed(frame, unit, len(size))
    chosen = _share_out(weight, size, fixed, np.array(shares), rng)
    kept = frame["split"].to_list() if "split" in frame.columns else [None] * len(frame)
    named = [had or SPLITS[chosen[u]] for had, u in zip(kept, unit.tolist())]
    return pl.Series("split", named, dtype=pl.String)


def find_units(frame: pl.DataFrame) -> Int64[np.ndarray, " n"]:
    """Number the rows' units: rows joined by the same `id` or `group`, numbered by their smallest `id`.

    >>> find_units(pl.DataFrame({"id": ["b", "a", "b", "c"], "group": [1, None, 2, 2]})).tolist()
    [1, 0, 1, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids = frame["id"].rank("dense").to_numpy().astype(np.int64) - 1
    rows, nodes = np.arange(len(frame)), ids
    if "group" in frame.columns and frame["group"].null_count() < len(frame):
        grouped = frame["group"].is_not_null().to_numpy()
        groups = frame["group"].drop_nulls().rank("dense").to_numpy().astype(np.int64) - 1
        rows = np.concatenate([rows, rows[grouped]])
        nodes = np.concatenate([nodes, groups + ids.max() + 1])
    total = len(frame) + int(nodes.max()) + 1
    graph = coo_array((np.ones(len(rows), np.int8), (rows, nodes + len(frame))), shape=(total, total))
    component = connected_components(graph, directed=False)[1][: len(frame)]
    smallest = np.full(int(component.max()) + 1, len(frame))
    np.minimum.at(smallest, component, ids)
    return np.unique(smallest[component], return_inverse=True)[1].astype(np.int64)


def _label_pairs(
    frame: pl.DataFrame,
) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"], list[str]]:
    """Which row has which label, as pairs of indices; rows without any have the label ""."""
    several = "labels" in frame.columns and frame["labels"].null_count() < len(frame)
    if several:
        said = frame.select(pl.col("labels").list.unique().alias("label"))
        if "label" in frame.columns:
            joined = pl.coalesce(pl.col("labels"), pl.concat_list("label"))
            said = frame.select(joined.list.unique().alias("label"))
    elif "label" in frame.columns:
        said = frame.select(pl.concat_list(pl.col("label").cast(pl.String)))
    else:
        said = pl.DataFrame({"label": [[""]] * len(frame)})
    pairs = said.with_row_index("row").explode("label").with_columns(pl.col("label").fill_null(""))
    names = sorted(pairs["label"].unique().to_list())
    place = {name: number for number, name in enumerate(names)}
    column = np.array([place[name] for name in pairs["label"]], dtype=np.int64)
    return pairs["row"].to_numpy().astype(np.int64), column, names


def _fixed(frame: pl.DataFrame, unit: Int64[np.ndarray, " n"], units: int) -> Int64[np.ndarray, " u"]:
    """The split most rows of each unit already have, −1 where none has any."""
    fixed = np.full(units, -1, dtype=np.int64)
    if "split" not in frame.columns or frame["split"].null_count() == len(frame):
        return fixed
    votes = np.zeros((units, len(SPLITS)), dtype=np.int64)
    for number, split in enumerate(SPLITS):
        np.add.at(votes[:, number], unit[(frame["split"] == split).fill_null(value=False).to_numpy()], 1)
    any_vote = votes.any(axis=1)
    fixed[any_vote] = votes[any_vote].argmax(axis=1)
    return fixed


def _share_out(
    weight: "csr_array",
    size: Int64[np.ndarray, " u"],
    fixed: Int64[np.ndarray, " u"],
    shares: Float64[np.ndarray, " 3"],
    rng: np.random.Generator,
) -> list[int]:
    """Choose a split for every unit, label by label from the rarest, big units first."""
    total = weight.sum(axis=0)
    wish = total[:, None] * shares
    carry = np.zeros(len(shares))
    chosen = fixed.copy()

    def put(u: int, split: int) -> None:
        mine = slice(weight.indptr[u], weight.indptr[u + 1])
        wish[weight.indices[mine], split] -= weight.data[mine]
        carry[:] += size[u] * shares
        carry[split] -= size[u]
        chosen[u] = split

    for u in np.flatnonzero(fixed >= 0).tolist():
        put(u, int(fixed[u]))
    label_of = np.argsort(total, kind="stable")  # rank → label, the rarest first
    rank = np.minimum.reduceat(np.argsort(label_of)[weight.indices], weight.indptr[:-1])
    shuffled = rng.permutation(len(size))
    order = shuffled[np.lexsort((-size[shuffled], rank[shuffled]))]
    for u in order[fixed[order] < 0].tolist():
        put(u, _best(wish[label_of[rank[u]]], carry, int(size[u]), shares))
    return [int(each) for each in chosen]


def _best(
    wish: Float64[np.ndarray, " 3"],
    carry: Float64[np.ndarray, " 3"],
    size: int,
    shares: Float64[np.ndarray, " 3"],
) -> int:
    """The split that still wants this label most; once none wants a whole unit, the one that lacks items."""
    if wish.max() >= size:
        return int(wish.argmax())
    open_ = (wish > 1e-9) & (shares > 0)
    if not open_.any():
        open_ = shares > 0
    return int(np.where(open_, wish + carry, -np.inf).argmax())
