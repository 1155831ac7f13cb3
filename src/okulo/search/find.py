"""`okulo search`: the items of an index most like some pictures."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.tables import write_parquet
from okulo.search.build import CROP_HELP, See, seeing_for
from okulo.search.exact import Found
from okulo.search.index import Index, open_index
from okulo.search.rank import EXPANSIONS, Ranking, search


@dataclass(frozen=True, kw_only=True)
class SearchParams(Params):
    """Find the pictures of an index that are most like these."""

    index: Path = param(help="the index", positional=True)
    pictures: tuple[Path, ...] = param(help="picture files", positional=True)
    k: int = param(20, help="how many for each", low=1, high=10_000, short="k")
    where: str = param("", help="only these items, as in SQL: \"split = 'train'\"")
    expand: str = param("none", help="widen the query by what it finds first", choices=EXPANSIONS)
    expand_by: int = param(5, help="so many of them", low=1, high=1000)
    alpha: float = param(3.0, help="power of the similarity in `alpha`", low=0, high=20)
    smooth: int = param(0, help="average each candidate with so many neighbours", low=0, high=100)
    rerank: bool = param(False, help="k-reciprocal re-ranking of the candidates")
    depth: int = param(200, help="candidates for smoothing and re-ranking", low=1, high=10_000)
    crop: str = param("", help=f"cut something out of the pictures (default: as the index does): {CROP_HELP}")
    model: str = param("", help="the index's model, where it was moved")
    output: Path | None = param(None, help="write the answers as a table", short="o")


@dataclass(frozen=True)
class SearchReport:
    """Answers, best first."""

    found: pl.DataFrame
    """query, place (from 1), score (cosine; after re-ranking 1 - distance), and the items' own columns."""
    gone: int
    """Items found whose file is not there any more."""
    seconds: float
    notes: tuple[str, ...] = field(default_factory=tuple)


def ranking_of(params: SearchParams) -> Ranking:
    """The part of the parameters that is about order."""
    return Ranking(
        expand=params.expand,
        expand_by=params.expand_by,
        alpha=params.alpha,
        smooth=params.smooth,
        rerank=params.rerank,
        depth=params.depth,
    )


def run(params: SearchParams, see: See, progress: Progress = silent) -> SearchReport:
    """Embed the pictures and look them up."""
    del progress
    index = open_index(params.index)
    if not params.pictures:
        raise BadInput("pictures", wanted="at least one picture", got="none")
    seeing = seeing_for(index, see, params.model, params.crop)
    started = time.perf_counter()
    vectors = []
    for path, said in zip(params.pictures, seeing.files(list(params.pictures), 1)):
        if said.vector is None:
            raise BadInput(str(path), said.error or "cannot be embedded")
        vectors.append(said.vector)
    found = search(index, np.stack(vectors), params.k, ranking_of(params), index.allowed(params.where))
    seconds = time.perf_counter() - started
    frame = answers(index, found, [str(path) for path in params.pictures])
    gone = sum(not (index.root / path).exists() for path in frame["path"])
    notes = []
    if params.k > len(index):
        notes.append(f"the index holds {len(index):,} items, fewer than the {params.k:,} asked for")
    if params.output is not None:
        write_parquet(frame, params.output)
    return SearchReport(frame, gone, seconds, tuple(notes))


def answers(index: Index, found: Found, queries: list[str]) -> pl.DataFrame:
    """Found rows as a table."""
    query, place = np.nonzero(found.row >= 0)
    said = pl.DataFrame(
        {
            "query": [queries[i] for i in query],
            "place": (place + 1).astype(np.int32),
            "score": found.score[query, place],
        },
        schema={"query": pl.String, "place": pl.Int32, "score": pl.Float32},
    )
    items = index.items[found.row[query, place]]
    return pl.concat([said, items.drop([c for c in said.columns if c in items.columns])], how="horizontal")
