"""`okulo series features`: what every recording is like, in one compiled pass over the parts."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float32

from okulo.apps.series.feature_kernels import all_features
from okulo.apps.series.feature_list import FEATURES, NAMES, SHAPE, Feature, pick
from okulo.apps.series.store import Store
from okulo.apps.series.threads import in_order
from okulo.core.errors import BadInput, need
from okulo.core.nouns import Series
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_aside

ENGINES = ("local", "ray")

Piece = tuple[np.ndarray, np.ndarray]
"""Ids and features of one part."""


@dataclass(frozen=True, kw_only=True)
class FeaturesParams(Params):
    """Compute what every recording is like: peak, plateau, drift, noise, work time and more, on all cores."""

    store: Path | None = param(None, help="folder of `okulo series import`", positional=True)
    engine: str = param("local", help="where parts are worked on", choices=ENGINES)
    workers: int = param(2, help="with --engine ray: workers", low=1)
    explain: bool = param(False, help="only say what each feature is, how it is computed, and its source")
    replace: bool = param(False, help="make features.parquet anew")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.store is None and not self.explain:
            raise BadInput("store", wanted="the folder of `okulo series import`", got="none")


@dataclass(frozen=True, kw_only=True)
class FeaturesReport:
    """Where the features are, or what they are."""

    file: Path | None
    series: int
    undefined: int
    """Recordings with too few values to say anything."""
    seconds: float
    features: tuple[Feature, ...]
    explained: bool


def compute(series: Series) -> Float32[np.ndarray, "n d"]:
    """Every feature of every recording, a column each in the order of `NAMES`; NaN: undefined.

    >>> one = Series(np.array([1]), np.float32([0, 0, 4, 2, *[1] * 20, 0, 0, 0]), np.array([0, 27]))
    >>> row = dict(zip(NAMES, compute(one)[0].tolist()))
    >>> row["length"], row["peak_height"], round(row["work"], 1), row["peak_position"] < 1
    (27.0, 4.0, 22.6, True)
    """
    features: np.ndarray = all_features(series.values, series.offsets, len(NAMES))
    return features


def local(store: Store) -> Iterator[Piece]:
    """Work the parts off one after the other; each uses all cores, and the next is being read."""
    for series in in_order(store.read_part, store.parts()):
        yield series.id, compute(series)


def engine_of(params: FeaturesParams) -> Callable[[Store], Iterator[Piece]]:
    """What works the parts off."""
    if params.engine == "local":
        return local
    from okulo.apps.series.on_ray import on_ray

    return lambda store: on_ray(store, compute, params.workers)


def to_frame(pieces: Sequence[Piece]) -> pl.DataFrame:
    """Put pieces together as a table: the id, and a column a feature."""
    ids = np.concatenate([ids for ids, _ in pieces])
    columns = {"id": ids}
    for j, name in enumerate(NAMES):
        columns[name] = np.concatenate([features[:, j] for _, features in pieces])
    return pl.DataFrame(columns)


def write(pieces: Iterable[Piece], path: Path) -> tuple[int, int]:
    """Write pieces as they come, on a thread; say how many recordings, and how many are undefined."""
    pa: Any = need("pyarrow", extra="series", verb="okulo series")
    pq: Any = need("pyarrow.parquet", extra="series", verb="okulo series")
    schema = pa.schema([("id", pa.int64()), *((name, pa.float32()) for name in NAMES)])

    def add(piece: Piece, writer: Any) -> tuple[int, int]:
        ids, features = piece
        columns = np.ascontiguousarray(features.T)
        writer.write_table(pa.table([ids, *columns], schema=schema))
        return len(ids), int(np.isnan(columns[NAMES.index("work")]).sum())

    # Measured values hardly pack; packing them would take longer than computing them.
    options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with write_aside(path) as aside, pq.ParquetWriter(aside, schema, **options) as writer:
        counts = list(in_order(add, pieces, writer, threads=1))
    return sum(n for n, _ in counts), sum(n for _, n in counts)


def run(params: FeaturesParams, progress: Progress = silent) -> FeaturesReport:
    """Compute and write `features.parquet`."""
    started = time.perf_counter()
    if params.explain or params.store is None:
        return FeaturesReport(
            file=None, series=0, undefined=0, seconds=0.0, features=FEATURES, explained=True
        )
    store = Store(params.store).require()
    store.refuse_existing("features", replace=params.replace)
    total = len(store.parts())
    pieces = progress(engine_of(params)(store), label="features, a part a step", total=total)
    series, undefined = write(pieces, store.table("features"))
    return FeaturesReport(
        file=store.table("features"),
        series=series,
        undefined=undefined,
        seconds=time.perf_counter() - started,
        features=FEATURES,
        explained=False,
    )


def matrix(frame: pl.DataFrame, names: Sequence[str] = SHAPE) -> Float32[np.ndarray, "n d"]:
    """Some features of a table as an array."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise BadInput(
            "features.parquet",
            f"has no {', '.join(missing)}",
            hint="was it made by an older okulo? --replace",
        )
    # Column after column, as the table holds them: turning a million rows round takes longer than their use.
    columns: np.ndarray = frame.select(pl.col(name).cast(pl.Float32) for name in names).to_numpy(
        order="fortran"
    )
    return columns


__all__ = ["FeaturesParams", "FeaturesReport", "compute", "local", "matrix", "pick", "run", "to_frame"]
