"""What every source of recordings hands over, and how values are read out of COPY's formats."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from okulo.apps.series import copy_kernels as kernels
from okulo.core.nouns import Series

NAMES = ("no id", "no values", "unreadable")
"""What the kernels count, in their order."""

KINDS_OF_ELEMENT = {
    700: kernels.FLOAT4,
    701: kernels.FLOAT8,
    21: kernels.INT2,
    23: kernels.INT4,
    20: kernels.INT8,
}
"""PostgreSQL's element types that are read as they are, by their number in pg_type."""


@dataclass(frozen=True)
class Where:
    """What the columns are called: id, values (an array, or one sample a row), a sample's time."""

    id: str = "id"
    values: str = "values"
    time: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are asked for."""
        return (self.id, self.values, *([self.time] if self.time else []))


@dataclass(frozen=True)
class Batch:
    """Some recordings; how many rows of each kind gave none; and which have uneven times (where known)."""

    series: Series
    said: Mapping[str, int] = field(default_factory=dict)
    uneven: Bool[np.ndarray, " n"] | None = None


def _batch(
    rows: int,
    ids: Int64[np.ndarray, " r"],
    ends: Int64[np.ndarray, " r"],
    values: Float32[np.ndarray, " v"],
    said: Int64[np.ndarray, " 3"],
    times: Float64[np.ndarray, " w"] | None = None,
) -> Batch:
    offsets = np.concatenate([[0], ends[:rows]]).astype(np.int64)
    series = Series(ids[:rows].copy(), values[: offsets[-1]].copy(), offsets)
    uneven = None if times is None else kernels.uneven(times, offsets)
    return Batch(series, {name: int(n) for name, n in zip(NAMES, said) if n}, uneven)


def binary_batch(data: UInt8[np.ndarray, " b"], rows: int, kind: int, *, time: bool) -> Batch:
    """Read whole rows of COPY's binary format: a bigint, an array, and times where there are."""
    room = len(data) // 6 + 1  # the least an element takes: its length and two bytes
    values = np.empty(room, np.float32)
    times = np.empty(room if time else 1, np.float64)
    ids, ends, said = np.empty(rows, np.int64), np.empty(rows, np.int64), np.zeros(3, np.int64)
    count = kernels.read_binary(data, kind, time, ids, ends, values, times, said)
    return _batch(count, ids, ends, values, said, times if time else None)


def text_batch(data: UInt8[np.ndarray, " b"], id_field: int, values_field: int) -> Batch:
    """Read whole lines of COPY's text format whose values are arrays."""
    rows = int(np.count_nonzero(data == 10)) + 1
    values = np.empty(len(data) // 2 + 1, np.float32)
    ids, ends, said = np.empty(rows, np.int64), np.empty(rows, np.int64), np.zeros(3, np.int64)
    count = kernels.read_text(data, id_field, values_field, ids, ends, values, said)
    return _batch(count, ids, ends, values, said)
