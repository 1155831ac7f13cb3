"""Groups among recordings that are not normal: many small k-means cells, joined where nothing parts them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from okulo.algo.graphs import connected_components

CELLS = 64
GAP = 2.0
"""Two cells are one group where their centres are closer than so many of their two spreads together.

The halves of a uniform stretch are 1.73 apart, of a Gaussian 1.33; two heaps that the eye parts 2.5."""

SPLINTER = 1.5
"""Splinters join their nearest neighbour up to so many times the gap."""

MEMBERS = 8
"""There are never more cells than so many rows for each would allow."""

FUZZ = 0.1
"""Added to the spreads: cells of equal rows have none."""

FITTED = 20_000
"""k-means is fitted on up to so many rows and then applied to all."""


@dataclass(frozen=True)
class Cells:
    """k-means cells, and which group each belongs to."""

    centre: Float32[np.ndarray, "k d"]
    group: Int64[np.ndarray, " k"]

    def assign(self, rows: Float32[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
        """The group of each row: its nearest centre's."""
        group: np.ndarray = self.group[nearest(rows, self.centre)]
        return group


def nearest(rows: Float32[np.ndarray, "n d"], centre: Float32[np.ndarray, "k d"]) -> Int64[np.ndarray, " n"]:
    """Index of each row's nearest centre.

    >>> nearest(np.float32([[0], [9]]), np.float32([[8], [1]])).tolist()
    [1, 0]
    """
    return np.concatenate(
        [_distances(rows[i : i + 65536], centre).argmin(axis=1) for i in range(0, max(len(rows), 1), 65536)]
    ).astype(np.int64)


def _distances(rows: Float32[np.ndarray, "n d"], centre: Float32[np.ndarray, "k d"]) -> np.ndarray:
    """Squared distances less each row's own square, which changes no comparison."""
    squared: np.ndarray = (centre**2).sum(axis=1)[None] - 2 * rows @ centre.T
    return squared


@contextmanager
def quietly() -> Iterator[None]:
    """Let scikit-learn not warn of cells left empty by equal rows, nor of a mixture still moving a little."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def find_cells(rows: Float32[np.ndarray, "n d"], cells: int, seed: int) -> Float32[np.ndarray, "k d"]:
    """k-means++ (Arthur and Vassilvitskii 2007, scikit-learn's); centres of at most so many cells."""
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(seed)
    some = rows if len(rows) <= FITTED else rows[rng.choice(len(rows), FITTED, replace=False)]
    distinct = len(np.unique(some, axis=0)) if len(some) <= cells else cells
    with quietly():
        model = KMeans(min(cells, distinct), n_init=1, random_state=seed).fit(some)
    centre: np.ndarray = model.cluster_centers_.astype(np.float32)
    return centre


def find_groups(
    rows: Float32[np.ndarray, "n d"],
    seed: int = 0,
    *,
    cells: int = CELLS,
    gap: float = GAP,
    least: int = 0,
) -> Cells:
    """Cut the rows into cells and join neighbours that nothing parts.

    k-means with few clusters cuts large families in pieces before it parts small ones from them; with many
    it cuts everything in pieces, but hardly ever puts two families into one. What belongs together is then
    joined: two neighbouring cells are one where the distance of their centres is below `gap` spreads,
    measured along the line between them. Splinters of fewer than `least` rows join the nearest, if that is
    not far.

    >>> rng = np.random.default_rng(0)
    >>> blobs = np.float32(np.concatenate([rng.normal(0, 1, (3000, 2)), rng.normal(9, 1, (60, 2))]))
    >>> sorted(np.bincount(find_groups(blobs, cells=12).assign(blobs)).tolist())
    [60, 3000]
    """
    centre = find_cells(rows, cells, seed)
    cell = nearest(rows, centre)
    gaps = {(i, j): _gap(rows, centre, cell, i, j) for i, j in _neighbours(rows, centre, cell)}
    close = [pair for pair, apart in gaps.items() if apart < gap]
    group = _components(len(centre), close)
    size = np.bincount(group[cell], minlength=len(centre))
    for number in np.flatnonzero((size > 0) & (size < least)):
        # A splinter too small to be a group of its own belongs to what is nearest, if that is not far.
        around = {p: g for p, g in gaps.items() if (group[p[0]] == number) != (group[p[1]] == number)}
        nearest_pair = min(around, key=lambda pair: around[pair], default=None)
        if nearest_pair is not None and around[nearest_pair] < SPLINTER * gap:
            close.append(nearest_pair)
    return Cells(centre, _components(len(centre), close))


def _components(count: int, pairs: list[tuple[int, int]]) -> Int64[np.ndarray, " k"]:
    return connected_components(count, np.array(pairs, np.int64).reshape(-1, 2))


def _neighbours(
    rows: Float32[np.ndarray, "n d"], centre: Float32[np.ndarray, "k d"], cell: Int64[np.ndarray, " n"]
) -> list[tuple[int, int]]:
    """Pairs of cells of which one is second nearest to at least 5 % as many rows as the smaller one has."""
    k = len(centre)
    shared = np.zeros((k, k), np.int64)
    for i in range(0, len(rows), 65536):
        squared = _distances(rows[i : i + 65536], centre)
        own = cell[i : i + 65536]
        squared[np.arange(len(own)), own] = np.inf
        np.add.at(shared, (own, squared.argmin(axis=1)), 1)
    shared += shared.T
    size = np.bincount(cell, minlength=k)
    close = shared > 0.05 * np.minimum(size[:, None], size[None, :])
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(close, 1))]


def _gap(
    rows: Float32[np.ndarray, "n d"],
    centre: Float32[np.ndarray, "k d"],
    cell: Int64[np.ndarray, " n"],
    i: int,
    j: int,
) -> float:
    """Distance of two centres over their cells' spreads along the line between them."""
    line = centre[j] - centre[i]
    apart = float(np.linalg.norm(line))
    if apart == 0:
        return 0.0
    spreads = sum(float((rows[cell == each] @ (line / apart)).std()) for each in (i, j))
    return apart / (spreads + FUZZ)


def rank(
    group: Int64[np.ndarray, " n"], unlike: Float[np.ndarray, " n"], least: int
) -> tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, " g"]]:
    """Number the groups by how unlike the normal they are, most first, from 1; those too small become -1.

    Gives the new numbers and each group's median unlikeness.

    >>> number, how = rank(np.array([0, 0, 1, 1, 2]), np.array([2.0, 3, 9, 9, 5]), least=2)
    >>> number.tolist(), how.tolist()
    ([2, 2, 1, 1, -1], [9.0, 2.5])
    """
    size = np.bincount(group) if len(group) else np.zeros(0, np.int64)
    large = np.flatnonzero(size >= least)
    how = np.array([float(np.median(unlike[group == each])) for each in large])
    order = np.argsort(-how, kind="stable")
    number = np.full(len(size), -1, np.int64)
    number[large[order]] = np.arange(1, len(large) + 1)
    return number[group], how[order]
