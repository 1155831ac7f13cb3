"""One row a sample, in any order: spooled into buckets on disk by id, then put together bucket by bucket."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from okulo.apps.series.batch import Batch, Where
from okulo.apps.series.copy_kernels import uneven
from okulo.core.errors import BadInput
from okulo.core.nouns import Series

BUCKETS = 64
SAMPLE = np.dtype([("id", "<i8"), ("time", "<f8"), ("value", "<f4")])


def samples_of(frame: pl.DataFrame, where: Where) -> pl.DataFrame:
    """Columns id, time and value of a table of text or numbers; what cannot be read becomes null.

    Times are numbers, or dates that become seconds.

    >>> text = pl.DataFrame({"id": ["7"], "t": ["2024-01-01 00:00:01"], "v": ["x"]})
    >>> samples_of(text, Where("id", "v", "t")).rows()
    [(7, 1704067201.0, None)]
    """
    time = frame[where.time]
    if time.dtype == pl.String:
        number = time.cast(pl.Float64, strict=False)
        if number.null_count() > time.null_count():
            number = _seconds(time.str.to_datetime(strict=False, time_zone="UTC"))
    elif time.dtype.is_temporal():
        number = _seconds(time.cast(pl.Datetime("us")))
    else:
        number = time.cast(pl.Float64, strict=False)
    return pl.DataFrame(
        {
            "id": frame[where.id].cast(pl.Int64, strict=False),
            "time": number,
            "value": frame[where.values].cast(pl.Float32, strict=False),
        }
    )


def _seconds(time: pl.Series) -> pl.Series:
    return time.dt.epoch("us").cast(pl.Float64) / 1e6


def frames_to_batches(frames: Iterable[pl.DataFrame]) -> Iterator[Batch]:
    """Put samples together to series, each in the order of its times; memory holds one bucket at a time."""
    unreadable = no_id = 0
    with tempfile.TemporaryDirectory(prefix="okulo-series-") as folder:
        files = [(Path(folder) / str(place)).open("wb") for place in range(BUCKETS)]
        try:
            for frame in frames:
                good = frame.filter(pl.col("id").is_not_null() & pl.col("time").is_not_null())
                no_id += frame["id"].null_count()
                unreadable += len(frame) - len(good) - frame["id"].null_count()
                _spool(good, files)
        finally:
            for file in files:
                file.close()
        said = {name: n for name, n in (("no id", no_id), ("unreadable", unreadable)) if n}
        for place in range(BUCKETS):
            rows = np.fromfile(Path(folder) / str(place), SAMPLE)
            if len(rows):
                yield _together(rows, said)
                said = {}
        if said:
            raise BadInput("samples", "none could be read", hint="see the columns of id, time and value")


def _spool(frame: pl.DataFrame, files: list) -> None:  # type: ignore[type-arg]  # open binary files
    rows = np.empty(len(frame), SAMPLE)
    rows["id"], rows["time"] = frame["id"].to_numpy(), frame["time"].to_numpy()
    rows["value"] = frame["value"].fill_null(float("nan")).to_numpy()
    bucket = rows["id"] % BUCKETS
    order = np.argsort(bucket, kind="stable")
    ends = np.searchsorted(bucket[order], np.arange(BUCKETS + 1))
    for place in range(BUCKETS):
        if ends[place] < ends[place + 1]:
            rows[order[ends[place] : ends[place + 1]]].tofile(files[place])


def _together(rows: np.ndarray, said: dict[str, int]) -> Batch:
    rows = rows[np.lexsort((rows["time"], rows["id"]))]
    ids, starts = np.unique(rows["id"], return_index=True)
    offsets = np.concatenate([starts, [len(rows)]]).astype(np.int64)
    series = Series(ids, rows["value"].astype(np.float32), offsets)
    return Batch(series, said, uneven(rows["time"].astype(np.float64), offsets))
