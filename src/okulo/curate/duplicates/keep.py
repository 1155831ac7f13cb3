"""Which item of a group to keep."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

RULES = ("labelled", "largest", "sharpest")
LABELS = ("label", "labels", "boxes", "mask")


def choose_kept(
    frame: pl.DataFrame,
    group: Int64[np.ndarray, " n"],
    sharpness: Float32[np.ndarray, " n"],
    readable: Bool[np.ndarray, " n"],
    rule: str,
) -> Bool[np.ndarray, " n"]:
    """Mark one item a group: by `rule` first, then labelled, largest, sharpest, most bytes, first by path.

    A picture that cannot be read comes last. Sharpness is compared on copies of one size, so that it is not
    the size again.

    >>> frame = pl.DataFrame({"path": ["a", "b", "c"], "width": [9, 9, 5], "height": [9, 9, 5]})
    >>> choose_kept(frame, np.array([0, 0, 1]), np.float32([1, 2, 1]), np.ones(3, bool), "labelled").tolist()
    [False, True, True]
    """
    count = len(frame)
    worth = {
        "labelled": _labelled(frame),
        "largest": _number(frame, "width") * _number(frame, "height"),
        "sharpest": sharpness.astype(np.float64),
    }
    order = [rule, *(each for each in RULES if each != rule)]
    by_path = np.empty(count, np.int64)
    by_path[np.argsort(frame["path"].to_numpy(), kind="stable")] = np.arange(count)
    keys = [
        by_path,
        -_number(frame, "bytes"),
        *(-worth[each].astype(np.float64) for each in reversed(order)),
        ~readable,
        group,
    ]
    sorted_rows = np.lexsort(keys)
    first = np.ones(count, bool)
    first[1:] = group[sorted_rows][1:] != group[sorted_rows][:-1]
    kept = np.zeros(count, bool)
    kept[sorted_rows[first]] = True
    return kept


def _labelled(frame: pl.DataFrame) -> Bool[np.ndarray, " n"]:
    has = [frame[name].is_not_null().to_numpy() for name in LABELS if name in frame.columns]
    return np.logical_or.reduce(has) if has else np.zeros(len(frame), bool)


def _number(frame: pl.DataFrame, name: str) -> np.ndarray:
    if name not in frame.columns:
        return np.zeros(len(frame))
    return frame[name].cast(pl.Float64).fill_null(0).to_numpy()
