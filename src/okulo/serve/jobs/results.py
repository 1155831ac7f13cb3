"""A job's result: JSON rows as they are read, or one Parquet table of items."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import orjson

from okulo.serve.jobs.records import Job, Row
from okulo.serve.jobs.schema import DONE

PARQUET = "application/vnd.apache.parquet"
AT_ONCE = 200
OWN = {"id": "id", "width": "width", "height": "height", "best": "best", "label": "pred"}
"""Of an answer: its name there, and the column's."""


def wants_parquet(accept: str) -> bool:
    """Whether Parquet is asked for, and no later than JSON.

    >>> wants_parquet("application/vnd.apache.parquet"), wants_parquet("*/*"), wants_parquet("")
    (True, False, False)
    """
    for each in accept.lower().split(","):
        kind = each.partition(";")[0].strip()
        if kind in (PARQUET, "application/x-parquet", "application/parquet"):
            return True
        if kind == "application/json":
            return False
    return False


def as_json(job: Job, rows: Iterable[Row], outputs: Iterable[str] = ()) -> Iterator[bytes]:
    """Write the result piece by piece: the job, and one object a picture, by index."""
    shown = set(outputs)
    yield orjson.dumps(job)[:-1] + b',"results":['
    waiting: list[bytes] = []
    first = True
    for row in rows:
        said: dict[str, Any] = {"index": row.index, "name": row.name}
        if row.answer:
            said |= {k: v for k, v in row.answer.items() if k != "probabilities" or k in shown}
        if row.error is not None:
            said["error"] = row.error
        elif row.state != DONE:
            said["error"] = "not done yet"
        waiting.append(orjson.dumps(said))
        if len(waiting) == AT_ONCE:
            yield (b"" if first else b",") + b",".join(waiting)
            waiting, first = [], False
    yield (b"," if waiting and not first else b"") + b",".join(waiting) + b"]}"


def as_parquet(rows: Iterable[Row]) -> bytes:
    """Write a table of items that every verb reads: what `okulo predict` adds, and `index` and `error`."""
    import polars as pl

    from okulo.core.table import COLUMNS

    columns: dict[str, list[Any]] = {name: [] for name in ("index", "path", *OWN.values(), "confidence")}
    vectors: list[list[float] | None] = []
    errors: list[str | None] = []
    more: list[dict[str, Any]] = []
    for row in rows:
        answer = dict(row.answer or {})
        columns["index"].append(row.index)
        columns["path"].append(row.name)
        for theirs, ours in OWN.items():
            columns[ours].append(answer.pop(theirs, None))
        columns["confidence"].append(answer.pop("probability", None))
        vectors.append(answer.pop("probabilities", None))
        errors.append(row.error if row.error is not None else None if row.state == DONE else "not done yet")
        more.append({k: v for k, v in answer.items() if k not in ("top", "dont_know")})
    types = {"index": pl.Int32}
    made = [
        pl.Series(name, values, dtype=types.get(name) or COLUMNS[name].dtype)
        for name, values in columns.items()
    ]
    made += [*_vectors("probabilities", vectors), *_further(more)]
    frame = pl.DataFrame([*made, pl.Series("error", errors, dtype=pl.String)])
    to = BytesIO()
    frame.with_columns(pl.col("id").fill_null("")).write_parquet(to)
    return to.getvalue()


def _vectors(name: str, rows: list[list[float] | None]) -> list[Any]:
    import polars as pl

    lengths = {len(each) for each in rows if each is not None}
    if not lengths:
        return []
    if len(lengths) == 1:
        return [pl.Series(name, rows, dtype=pl.Array(pl.Float32, lengths.pop()))]
    return [pl.Series(name, rows, dtype=pl.List(pl.Float32))]


def _further(rows: list[dict[str, Any]]) -> list[Any]:
    """Other outputs: vectors of numbers as such, anything else as JSON text."""
    import polars as pl

    made = []
    for name in sorted({name for row in rows for name in row}):
        values = [row.get(name) for row in rows]
        flat = all(
            v is None or (isinstance(v, list) and all(isinstance(x, float) for x in v)) for v in values
        )
        if flat:
            made += _vectors(name, values)
        else:
            texts = [None if each is None else orjson.dumps(each).decode() for each in values]
            made.append(pl.Series(name, texts, dtype=pl.String))
    return made
