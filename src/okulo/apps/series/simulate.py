"""Recordings of a mechanism whose truth is known: a sharp peak, a plateau, then zero; faults and garbage.

A normal recording has 50 to 100 values (60 on average). It starts after 8 ± 5 samples, peaks two samples
later at about four times the plateau, settles within a few samples, and ends its work at about 0.8 of its
length. Gain, heights, decay and noise vary from one to the next.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int8, Int64

from okulo.core.errors import BadInput, need
from okulo.core.nouns import Series

FAULTS: Mapping[str, float] = {
    "low peak": 0.010,
    "noisy": 0.008,
    "no peak": 0.007,
    "drift": 0.006,
    "early end": 0.005,
    "stuck": 0.004,
    "oscillation": 0.003,
    "double peak": 0.0025,
    "late peak": 0.002,
    "clipped": 0.0015,
    "late start": 0.001,
}
"""Families of faults and their share of the recordings that are no garbage (5 % in all)."""

GARBAGE = ("empty", "short", "dead", "unplugged", "gaps", "spikes", "wrong unit")
"""Recordings that say nothing of the mechanism, all equally frequent."""

KINDS = ("normal", *FAULTS, *GARBAGE)
"""What a recording can be; its place here is its code."""

SHIFT = 5
SHORTEST, LONGEST = 50, 100


@dataclass(frozen=True)
class Simulated:
    """Recordings and what each of them is (a code: its place in `KINDS`)."""

    series: Series
    kind: Int8[np.ndarray, " n"]


@dataclass(frozen=True)
class _Shapes:
    """One number a recording for everything its curve is made of; times in samples."""

    length: Int64[np.ndarray, " n"]
    start: Float64[np.ndarray, " n"]
    peak_at: Float64[np.ndarray, " n"]
    peak: Float64[np.ndarray, " n"]
    decay: Float64[np.ndarray, " n"]
    second_at: Float64[np.ndarray, " n"]
    second: Float64[np.ndarray, " n"]
    level: Float64[np.ndarray, " n"]
    tilt: Float64[np.ndarray, " n"]
    swing: Float64[np.ndarray, " n"]
    period: Float64[np.ndarray, " n"]
    end: Float64[np.ndarray, " n"]
    noise: Float64[np.ndarray, " n"]
    freeze_at: Float64[np.ndarray, " n"]
    clip: Float64[np.ndarray, " n"]


def simulate(
    count: int,
    rng: np.random.Generator,
    *,
    faults: Mapping[str, float] = FAULTS,
    garbage: float = 0.15,
    first_id: int = 1,
    shift: int = SHIFT,
) -> Simulated:
    """Make recordings.

    Args:
        count: how many.
        rng: source of randomness; one generator and one count give the same recordings again.
        faults: share of each family among the recordings that are no garbage.
        garbage: share of garbage, 0 to 1.
        first_id: id of the first; they count up from it.
        shift: a recording starts up to so many samples early or late.

    >>> made = simulate(1000, np.random.default_rng(0))
    >>> len(made.series), int((made.kind == 0).sum())
    (1000, 785)
    """
    unknown = set(faults) - set(FAULTS)
    if unknown or sum(faults.values()) >= 1:
        raise BadInput("faults", wanted=f"shares below 1 in all, of {', '.join(FAULTS)}", got=dict(faults))
    kind = _draw_kinds(count, rng, faults, garbage)
    shapes = _draw_shapes(kind, rng, shift)
    curves = _draw_curves(shapes, rng)
    lengths, curves = _spoil(kind, shapes.length, curves, rng)
    inside = np.arange(curves.shape[1]) < lengths[:, None]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.arange(first_id, first_id + count, dtype=np.int64)
    return Simulated(Series(ids, curves[inside].astype(np.float32), offsets), kind)


def simulate_parts(
    count: int, seed: int, *, part: int = 50_000, faults: Mapping[str, float] = FAULTS, garbage: float = 0.15
) -> Iterator[Simulated]:
    """The same, part by part: memory stays flat. A part's own seed is made of `seed` and its place."""
    for place, start in enumerate(range(0, count, part)):
        rng = np.random.default_rng([seed, place])
        size = min(part, count - start)
        yield simulate(size, rng, faults=faults, garbage=garbage, first_id=start + 1)


def _draw_kinds(
    count: int, rng: np.random.Generator, faults: Mapping[str, float], garbage: float
) -> Int8[np.ndarray, " n"]:
    codes = [0, *(KINDS.index(name) for name in faults)]
    shares = np.array([1 - sum(faults.values()), *faults.values()])
    kind = rng.choice(codes, size=count, p=shares / shares.sum())
    spoiled = rng.random(count) < garbage
    first = len(KINDS) - len(GARBAGE)
    kind[spoiled] = rng.integers(first, len(KINDS), int(spoiled.sum()))
    return kind.astype(np.int8)


def _draw_shapes(kind: Int8[np.ndarray, " n"], rng: np.random.Generator, shift: int) -> _Shapes:
    n = len(kind)

    def like(middle: float, spread: float) -> Float64[np.ndarray, " n"]:
        return middle * np.exp(rng.normal(0, spread, n))

    def only(name: str, low: float, high: float, other: float = 0.0) -> Float64[np.ndarray, " n"]:
        values = rng.uniform(low, high, n)
        return np.where(kind == KINDS.index(name), values, other)

    length = (SHORTEST + (LONGEST - SHORTEST) * rng.beta(1, 4, n)).round().astype(np.int64)
    gain = like(1, 0.06)
    start = 8.0 + rng.integers(-shift, shift + 1, n) + only("late start", 12, 18)
    level = gain * like(1, 0.04)
    peak = 3 * gain * like(1, 0.07) * only("low peak", 0.2, 0.5, 1.0) * only("no peak", 0, 0.03, 1.0)
    peak_at = start + 2 + rng.normal(0, 0.3, n) + only("late peak", 7, 14)
    end = 0.8 * length + rng.normal(0, 1.0, n) + (start - 8.0)
    end = np.minimum(start + (end - start) * only("early end", 0.35, 0.6, 1.0), length - 5.0)
    return _Shapes(
        length=length,
        start=start,
        peak_at=peak_at,
        peak=peak,
        decay=like(2.2, 0.08),
        second_at=peak_at + only("double peak", 9, 16),
        second=peak * only("double peak", 0.5, 0.9),
        level=level,
        tilt=level * only("drift", 0.35, 0.8),
        swing=level * only("oscillation", 0.12, 0.25),
        period=rng.uniform(4, 7, n),
        end=end,
        noise=like(0.025, 0.1) * only("noisy", 4, 8, 1.0),
        freeze_at=start + (end - start) * only("stuck", 0.35, 0.55, 9.0),
        clip=only("clipped", 2.4, 2.8, np.inf),
    )


def _draw_curves(shapes: _Shapes, rng: np.random.Generator) -> Float64[np.ndarray, "n t"]:
    def column(values: np.ndarray) -> np.ndarray:
        return values[:, None]

    t = np.arange(LONGEST, dtype=np.float64)[None, :]
    start, end = column(shapes.start), column(shapes.end)
    rise = 1 / (1 + np.exp(np.clip(-(t - start) / 0.3, -50, 50)))
    work = rise / (1 + np.exp(np.clip((t - end) / 0.5, -50, 50)))
    progress = np.clip((t - start) / (end - start), 0, 1)
    wave = np.sin(2 * np.pi * t / column(shapes.period) + rng.uniform(0, 6.28, (len(start), 1)))
    plateau = column(shapes.level) + column(shapes.tilt) * progress + column(shapes.swing) * wave

    def pulse(at: np.ndarray, height: np.ndarray) -> np.ndarray:
        since = t - column(at)
        shape = np.where(since < 0, np.exp(-(since**2)), np.exp(-np.maximum(since, 0) / column(shapes.decay)))
        pulsed: np.ndarray = column(height) * shape
        return pulsed

    curves = work * (plateau + pulse(shapes.peak_at, shapes.peak) + pulse(shapes.second_at, shapes.second))
    curves += column(shapes.noise) * rng.normal(size=curves.shape)
    curves = np.minimum(curves, column(shapes.clip))
    frozen = np.minimum(np.floor(shapes.freeze_at).astype(np.int64), LONGEST - 1)
    held = np.take_along_axis(curves, frozen[:, None], axis=1)
    return np.where(t > frozen[:, None], held, curves)


def _spoil(
    kind: Int8[np.ndarray, " n"],
    length: Int64[np.ndarray, " n"],
    curves: Float64[np.ndarray, "n t"],
    rng: np.random.Generator,
) -> tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, "n t"]]:
    """Make garbage of the recordings that are to be, and drop a value from one in a hundred."""
    length = length.copy()

    def rows(name: str) -> Int64[np.ndarray, " m"]:
        return np.flatnonzero(kind == KINDS.index(name))

    length[rows("short")] = rng.integers(1, 20, len(rows("short")))
    curves[rows("empty")] = np.nan
    curves[rows("dead")] = rng.choice([0.0, 0.0, -0.5, 5.0], (len(rows("dead")), 1))
    curves[rows("unplugged")] = rng.normal(0, 0.4, (len(rows("unplugged")), LONGEST))
    gaps = rows("gaps")
    curves[gaps] = np.where(
        rng.random((len(gaps), LONGEST)) < rng.uniform(0.4, 0.8, (len(gaps), 1)), np.nan, curves[gaps]
    )
    curves[rows("wrong unit")] *= rng.choice([1000.0, -1.0], (len(rows("wrong unit")), 1))
    spikes = rows("spikes")
    at = (rng.random(len(spikes)) * length[spikes]).astype(np.int64)
    curves[spikes, at] = rng.choice([1e3, -1e3, 1e6], len(spikes))
    holed = np.flatnonzero(rng.random(len(kind)) < 0.01)
    curves[holed, rng.integers(12, 45, len(holed))] = rng.choice([np.nan, np.nan, np.inf], len(holed))
    return length, curves


def send(url: str, table: str, parts: Iterable[Simulated], *, analyze: bool = True) -> int:
    """Put recordings into a new PostgreSQL table (id bigint primary key, values real[]); say how many."""
    psycopg: Any = need("psycopg", extra="series", verb="okulo series simulate")
    from okulo.apps.series.send_kernels import binary_rows

    count = 0
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table} (id bigint, values real[])")
        with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\x00" + bytes(8))
            for part in parts:
                series = part.series
                copy.write(binary_rows(series.id, series.values, series.offsets).tobytes())
                count += len(series)
            copy.write(b"\xff\xff")
        cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)")
        if analyze:
            cursor.execute(f"ANALYZE {table}")
    return count
