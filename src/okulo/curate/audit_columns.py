"""Columns of a table as arrays, with the rows that can be used; what cannot be is a clear error."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

from okulo.core.errors import BadInput
from okulo.io.walk import Row


def read_vectors(
    frame: pl.DataFrame, column: str = "embedding"
) -> tuple[Float32[np.ndarray, "n d"], Bool[np.ndarray, " n"]]:
    """Vectors of a column, and which rows have one; the others (none, NaN, infinite) are zeros.

    >>> frame = pl.DataFrame({"embedding": pl.Series([[1.0, 2.0], None], dtype=pl.List(pl.Float32))})
    >>> read_vectors(frame)[1].tolist()
    [True, False]
    """
    if column not in frame.columns:
        makes = "predict" if column == "probabilities" else "embed"
        raise BadInput("table", f"has no column {column}", hint=f"`okulo {makes}` makes one")
    series = frame[column]
    if isinstance(series.dtype, pl.List):
        widths = series.list.len().drop_nulls().unique().to_list()
        if len(widths) > 1:
            raise BadInput(f"column {column}", wanted="vectors of one length", got=sorted(widths))
        series = series.cast(pl.Array(pl.Float32, widths[0] if widths else 0))
    if not isinstance(series.dtype, pl.Array) or series.dtype.size == 0:
        raise BadInput(f"column {column}", wanted="vectors, Array(Float32)", got=frame.schema[column])
    vectors = np.array(series.to_numpy(), dtype=np.float32)  # a copy: polars' own memory is read-only
    usable = np.asarray(np.isfinite(vectors).all(axis=1))
    if not usable.any():
        raise BadInput(f"column {column}", wanted="finite vectors", got="none in any row")
    vectors[~usable] = 0
    return vectors, usable


def read_groups(frame: pl.DataFrame) -> Int64[np.ndarray, " n"] | None:
    """Groups of near-duplicates, -1 for items in none; None where the table has no such column."""
    if "group" not in frame.columns or frame.schema["group"] == pl.Null:
        return None
    values = frame["group"].fill_null(-1).to_numpy()
    groups = np.full(len(values), -1, np.int64)
    groups[values >= 0] = np.unique(values[values >= 0], return_inverse=True)[1]
    return groups


def read_labels(
    frame: pl.DataFrame, classes: Sequence[str]
) -> tuple[Int64[np.ndarray, " n"], tuple[str, ...], list[Row]]:
    """Index of each item's class (-1: none), the classes, and a finding for each label that is none of them.

    >>> frame = pl.DataFrame({"path": ["1", "2", "3"], "label": ["cat", None, "dgo"]})
    >>> index, _, rows = read_labels(frame, ("cat", "dog"))
    >>> index.tolist(), rows
    ([0, -1, -1], [('3', 'unknown-class', 1.0, "'dgo' is no known class; did you mean 'dog'?")])
    """
    if "label" not in frame.columns:
        raise BadInput("table", "has no column label", hint="what is it that should be audited?")
    known = tuple(classes) or tuple(sorted(set(frame["label"].drop_nulls())))
    place = {name: i for i, name in enumerate(known)}
    index = np.array([place.get(name, -1) for name in frame["label"]], np.int64)
    rows: list[Row] = []
    for path, label in frame.select("path", "label").filter(pl.col("label").is_not_null()).iter_rows():
        if label not in place:
            near = get_close_matches(label, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            rows.append((path, "unknown-class", 1.0, f"{label!r} is no known class{hint}"))
    if not (index >= 0).any():
        raise BadInput(
            "column label", wanted=f"one of {', '.join(known) or 'any class'}", got="no such label"
        )
    return index, known, rows


def class_order(
    frame: pl.DataFrame, width: int, classes: Sequence[str], usable: Bool[np.ndarray, " n"]
) -> tuple[str, ...]:
    """Which class each entry of `probabilities` is of: as said, else read off the column `best`, else sorted.

    >>> frame = pl.DataFrame({"probabilities": [[0.2, 0.8]], "best": ["ape"], "label": ["bee"]})
    >>> class_order(frame, 2, (), np.array([True]))
    ('bee', 'ape')
    """
    labels = sorted(set(frame["label"].drop_nulls())) if "label" in frame.columns else []
    hint = "say --classes in the order of the model"
    if classes:
        if len(classes) != width:
            raise BadInput("classes", wanted=f"{width}, as many as probabilities", got=len(classes))
        return tuple(classes)
    if "best" in frame.columns:
        first = read_vectors(frame, "probabilities")[0].argmax(axis=1)
        seen = {int(i): name for i, name, ok in zip(first, frame["best"], usable) if ok and name is not None}
        missing = [name for name in labels if name not in seen.values()]
        if len(seen) == width - 1 and len(missing) == 1:
            seen |= {i: missing[0] for i in range(width) if i not in seen}
        if len(seen) == width == len(set(seen.values())):
            return tuple(seen[i] for i in range(width))
    if len(labels) == width:
        return tuple(labels)
    raise BadInput("probabilities", f"have {width} entries, the labels {len(labels)} classes", hint=hint)
