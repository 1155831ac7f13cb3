"""`okulo index tune`: what recall costs, in queries a second and bytes a row, drawn for this very index."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_aside, write_json
from okulo.search.engines import LEAST_ROWS, Engine, build
from okulo.search.exact import nearest
from okulo.search.index import open_index
from okulo.search.settings import settle

EFFORTS = (8, 16, 32, 64, 128, 256)
PROBES = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class TuneParams(Params):
    """Measure kinds of index and their settings on an index's own vectors, and draw recall against speed."""

    index: Path = param(help="the index; it stays as it is", positional=True)
    k: int = param(10, help="places that count", low=1, high=1000, short="k")
    queries: int = param(200, help="vectors that are looked up, taken out of the index", low=1, high=100_000)
    rows: int = param(100_000, help="vectors that are indexed, at most", low=100)
    batch: int = param(1, help="queries asked at once: 1 as a page asks, more as a batch job does", low=1)
    output: Path | None = param(None, help="the plot (default: tune.png in the index)", short="o")
    seed: int = param(0, help="which vectors are taken", low=0)


@dataclass(frozen=True)
class Point:
    """One setting."""

    kind: str
    setting: str
    recall: float
    queries_per_s: float
    bytes_a_row: float
    build_s: float


@dataclass(frozen=True)
class TuneReport:
    """All settings, and where they were drawn."""

    points: tuple[Point, ...]
    rows: int
    k: int
    plot: Path


def run(params: TuneParams, progress: Progress = silent) -> TuneReport:
    """Take some vectors out as queries, index the others in each way, and measure."""
    index = open_index(params.index)
    alive = np.flatnonzero(index.alive)
    if len(alive) < 100:
        raise BadInput(str(params.index), wanted="100 items or more to tune on", got=len(alive))
    rng = np.random.default_rng(params.seed)
    drawn = rng.permutation(alive)[: params.rows + params.queries]
    asked = min(params.queries, len(drawn) // 5)
    queries, base = index.vectors(drawn[:asked]), index.vectors(drawn[asked:])
    truth = nearest(queries, base, params.k).row
    points = []
    for engine, name, build_s in progress(_engines(base, params.seed), label="indexes", total=3):
        for setting, set_engine in _settings(engine):
            row, seconds = _timed(set_engine, queries, params.k, params.batch)
            recall = float((row[:, :, None] == truth[:, None, :]).any(axis=1).mean())
            points.append(Point(name, setting, recall, asked / seconds, engine.memory / len(base), build_s))
    plot = params.output or params.index / "tune.png"
    _draw(points, plot, len(base), params.k)
    report = TuneReport(tuple(points), len(base), params.k, plot)
    write_json(plot.with_suffix(".json"), report)
    return report


def _engines(base: Float32[np.ndarray, "n d"], seed: int) -> Iterator[tuple[Engine, str, float]]:
    for kind in ("flat", "hnsw", "ivfpq"):
        if kind == "ivfpq" and len(base) < LEAST_ROWS:
            continue
        started = time.perf_counter()
        engine = build(base, settle(kind, *base.shape), seed)
        yield engine, kind, time.perf_counter() - started


def _settings(engine: Engine) -> Iterator[tuple[str, Engine]]:
    said = engine.settings
    if said.kind == "flat":
        yield "all", engine
    for effort in EFFORTS if said.kind == "hnsw" else ():
        yield f"effort {effort}", replace(engine, settings=replace(said, effort=effort))
    for probes in PROBES if said.kind == "ivfpq" else ():
        if probes <= said.lists:
            yield f"probes {probes}", replace(engine, settings=replace(said, probes=probes))


def _timed(
    engine: Engine, queries: Float32[np.ndarray, "q d"], k: int, batch: int
) -> tuple[np.ndarray, float]:
    engine.search(queries[:1], k)
    started = time.perf_counter()
    rows = [engine.search(queries[i : i + batch], k).row for i in range(0, len(queries), batch)]
    return np.concatenate(rows), time.perf_counter() - started


def _draw(points: list[Point], path: Path, rows: int, k: int) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for kind in dict.fromkeys(point.kind for point in points):
        mine = [point for point in points if point.kind == kind]
        left.plot([p.recall for p in mine], [p.queries_per_s for p in mine], marker="o", label=kind)
        right.scatter([p.bytes_a_row for p in mine[:1]], [max(p.recall for p in mine)], label=kind, s=60)
        for point in mine:
            word = point.setting.split()[-1]
            left.annotate(
                word,
                (point.recall, point.queries_per_s),
                fontsize=7,
                xytext=(3, 3),
                textcoords="offset points",
            )
    left.set(xlabel=f"recall@{k}", ylabel="queries a second", yscale="log", title=f"{rows:,} vectors")
    right.set(xlabel="bytes of memory a row", ylabel=f"best recall@{k}", xscale="log", title="memory")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    with write_aside(path) as aside:
        figure.savefig(aside, dpi=110)
