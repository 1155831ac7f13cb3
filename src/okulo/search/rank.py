"""A better order: the query widened by what it finds, the base smoothed, neighbourhoods compared.

Every way is asked for by each query and costs nothing where it is not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Int64

from okulo.core.errors import BadInput
from okulo.search.exact import Found, nothing, unit
from okulo.search.index import Index
from okulo.search.rerank import Reciprocal, distances

EXPANSIONS = ("none", "average", "rank", "alpha", "recursive")


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What is done beside comparing vectors."""

    expand: str = "none"
    """How the query is widened: `average` (Chum et al. 2007), weights falling by `rank`, `alpha`: weights of
    similarity to the power α (Radenović et al. 2019, section 3.4), `recursive`: averaged again and again."""
    expand_by: int = 5
    """How many of the first found are averaged with the query."""
    alpha: float = 3.0
    rounds: int = 3
    """Of the recursive way."""
    smooth: int = 0
    """Database-side augmentation: each candidate is compared as the mean of itself and so many neighbours."""
    rerank: bool = False
    """k-reciprocal re-ranking of the candidates."""
    reciprocal: Reciprocal = field(default_factory=Reciprocal)
    depth: int = 200
    """Candidates that smoothing and re-ranking look at."""

    def __post_init__(self) -> None:
        if self.expand not in EXPANSIONS:
            raise BadInput("expand", wanted=f"one of {', '.join(EXPANSIONS)}", got=repr(self.expand))
        for name in ("expand_by", "rounds", "depth"):
            if getattr(self, name) < 1:
                raise BadInput(name.replace("_", "-"), wanted="1 or more", got=getattr(self, name))


PLAIN = Ranking()


def search(
    index: Index,
    queries: np.ndarray,
    k: int,
    ranking: Ranking = PLAIN,
    allowed: Bool[np.ndarray, " n"] | None = None,
) -> Found:
    """The k items most like each query, best first; a k larger than the index gives all there are."""
    asked = unit("query", queries, index.manifest.length)
    if ranking.expand != "none":
        asked = widen(index, asked, ranking, allowed)
    if not ranking.smooth and not ranking.rerank:
        return index.nearest(asked, k, allowed)
    found = index.nearest(asked, max(k, ranking.depth), allowed)
    if ranking.smooth:
        found = _smoothed(index, asked, found, ranking.smooth)
    if ranking.rerank:
        found = _reranked(index, asked, found, ranking.reciprocal)
    return Found(found.score[:, :k], found.row[:, :k])


def widen(
    index: Index,
    queries: Float32[np.ndarray, "q d"],
    ranking: Ranking,
    allowed: Bool[np.ndarray, " n"] | None,
) -> Float32[np.ndarray, "q d"]:
    """Average each query with what it finds first."""
    rounds = ranking.rounds if ranking.expand == "recursive" else 1
    wide = queries
    for _ in range(rounds):
        found = index.nearest(wide, ranking.expand_by, allowed)
        weight = weights(found.score, ranking)
        near = index.vectors(np.maximum(found.row, 0))
        wide = unit("query", queries + np.einsum("qn,qnd->qd", weight, near), index.manifest.length)
    return wide


def weights(score: Float32[np.ndarray, "q n"], ranking: Ranking) -> Float32[np.ndarray, "q n"]:
    """What each found item counts beside the query's own 1; an item that is none counts 0.

    >>> weights(np.float32([[0.5, -0.1]]), Ranking(expand="alpha", alpha=2)).tolist()
    [[0.25, 0.0]]
    >>> weights(np.float32([[0.5, -np.inf]]), Ranking(expand="rank")).tolist()
    [[1.0, 0.0]]
    """
    real = np.isfinite(score)
    if ranking.expand == "alpha":
        value = np.maximum(np.where(real, score, 0), 0) ** ranking.alpha
    elif ranking.expand == "rank":
        value = np.broadcast_to(1 - np.arange(score.shape[1]) / score.shape[1], score.shape)
    else:
        value = np.ones_like(score)
    return np.where(real, value, 0).astype(np.float32)


def by_feedback(
    query: Float32[np.ndarray, " d"],
    good: Float32[np.ndarray, "g d"],
    bad: Float32[np.ndarray, "b d"],
) -> Float32[np.ndarray, " d"]:
    """Move a query to what was called relevant and from what was not (Rocchio 1971; weights 1, 0.75, 0.25).

    >>> by_feedback(np.float32([1, 0]), np.float32([[0, 1]]), np.zeros((0, 2), np.float32)).round(2).tolist()
    [0.8..., 0.6...]
    """
    moved = query.astype(np.float64)
    if len(good):
        moved = moved + 0.75 * good.mean(axis=0)
    if len(bad):
        moved = moved - 0.25 * bad.mean(axis=0)
    length = float(np.linalg.norm(moved))
    return query if length < 1e-6 else np.asarray(moved / length, np.float32)


def _smoothed(index: Index, queries: Float32[np.ndarray, "q d"], found: Found, many: int) -> Found:
    """Compare with candidates averaged over their neighbours, weights falling by rank.

    Database-side feature augmentation: Arandjelović & Zisserman 2012, section 4.
    """
    rows = np.unique(found.row[found.row >= 0])
    if not len(rows):
        return found
    smooth = smoothed(index.vectors(rows), lambda vectors: index.nearest(vectors, many + 1), index.vectors)
    place = np.searchsorted(rows, np.maximum(found.row, 0))
    score = np.einsum("qd,qnd->qn", queries, smooth[np.minimum(place, len(rows) - 1)])
    return _sorted(np.where(found.row >= 0, score, -np.inf).astype(np.float32), found.row)


def smoothed(
    vectors: Float32[np.ndarray, "n d"],
    near: Callable[[Float32[np.ndarray, "n d"]], Found],
    take: Callable[[Int64[np.ndarray, "n m"]], Float32[np.ndarray, "n m d"]],
) -> Float32[np.ndarray, "n d"]:
    """Replace each vector by the mean of its nearest (itself first), weights falling by rank."""
    out = np.empty_like(vectors)
    for start in range(0, len(vectors), 1024):
        part = slice(start, start + 1024)
        found = near(vectors[part])
        falls = weights(found.score, Ranking(expand="rank"))
        out[part] = unit("smoothed", np.einsum("qn,qnd->qd", falls, take(np.maximum(found.row, 0))))
    return out


def _reranked(index: Index, queries: Float32[np.ndarray, "q d"], found: Found, how: Reciprocal) -> Found:
    """Re-rank each query's own candidates among themselves."""
    best = nothing(*found.row.shape)
    for i, query in enumerate(queries):
        rows = found.row[i][found.row[i] >= 0]
        apart = distances(query[None], index.vectors(rows), how)[0]
        order = np.argsort(apart, kind="stable")
        best.row[i, : len(rows)], best.score[i, : len(rows)] = rows[order], 1 - apart[order]
    return best


def _sorted(score: Float32[np.ndarray, "q k"], row: Int64[np.ndarray, "q k"]) -> Found:
    order = np.argsort(-score, axis=1, kind="stable")
    return Found(np.take_along_axis(score, order, axis=1), np.take_along_axis(row, order, axis=1))
