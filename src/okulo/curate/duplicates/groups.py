"""From pairs to groups: connected components, but no group that only weak links hold together."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from okulo.algo.graphs import connected_components

SUPPORT = 0.34
"""Two clusters joined by weak links only become one when this share of the pairs looked at agree."""


@dataclass(frozen=True)
class Grouping:
    """Which group each item is in, and the weak links that were not followed."""

    group: Int64[np.ndarray, " n"]
    """Numbered from 0 in the order of each group's first item."""
    cut: Int64[np.ndarray, "c 2"]
    """Pairs that agreed and yet lie in two groups."""


def make_groups(
    count: int,
    pairs: Int64[np.ndarray, "p 2"],
    score: Float32[np.ndarray, " p"],
    threshold: float,
    strong: float,
) -> Grouping:
    """Group items by the pairs that were looked at, each with its score.

    A link of at least `strong` always joins, directly or through others (the relation is not transitive, the
    groups are). A weaker one, from `threshold` on, joins two clusters only with support: of the pairs looked
    at between the two, a third must agree. So a chain of weak links does not grow into one loose group.

    >>> pairs = np.array([[0, 1], [2, 3], [1, 2], [0, 2], [0, 3], [1, 3]])
    >>> score = np.float32([0.99, 0.99, 0.6, 0.1, 0.1, 0.1])
    >>> made = make_groups(4, pairs, score, threshold=0.5, strong=0.9)
    >>> made.group, made.cut
    (array([0, 0, 1, 1]), array([[1, 2]]))
    """
    agree = score >= threshold
    sure = connected_components(count, pairs[score >= strong])
    ends = sure[pairs]
    between = ends[:, 0] != ends[:, 1]
    joined = _join_supported(ends[between], agree[between], score[between])
    label = np.array(
        [joined.get(int(cluster), int(cluster)) for cluster in range(int(sure.max(initial=-1)) + 1)]
    )
    group = _renumber(label[sure]) if count else sure
    across = agree & (group[pairs[:, 0]] != group[pairs[:, 1]])
    return Grouping(group, pairs[across])


def _join_supported(
    ends: Int64[np.ndarray, "p 2"], agree: Bool[np.ndarray, " p"], score: Float32[np.ndarray, " p"]
) -> dict[int, int]:
    """Join clusters, the best link first; gives the new name of each cluster that got one."""
    touched = set(ends[agree].ravel().tolist())
    votes: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for (i, j), yes in zip(ends.tolist(), agree.tolist()):
        if i in touched and j in touched:
            for a, b in ((i, j), (j, i)):
                votes[a][b][0] += yes
                votes[a][b][1] += 1
    name: dict[int, int] = {}
    order = np.flatnonzero(agree)[np.argsort(-score[agree], kind="stable")]
    waiting = [tuple(pair) for pair in ends[order].tolist()]
    while True:
        left = [pair for pair in waiting if not _try_join(pair, votes, name)]
        if len(left) == len(waiting):
            return {cluster: _find(name, cluster) for cluster in name}
        waiting = left


def _try_join(pair: tuple[int, ...], votes: dict[int, dict[int, list[int]]], name: dict[int, int]) -> bool:
    i, j = (_find(name, cluster) for cluster in pair)
    if i == j:
        return True
    yes, seen = votes[i][j]
    if yes < SUPPORT * seen:
        return False
    if len(votes[i]) < len(votes[j]):
        i, j = j, i
    for other, (some, of) in votes.pop(j).items():  # i takes over what j had
        votes[other].pop(j, None)
        if other != i:
            for a, b in ((i, other), (other, i)):
                votes[a][b][0] += some
                votes[a][b][1] += of
    name[j] = i
    return True


def _find(name: dict[int, int], cluster: int) -> int:
    while cluster in name:
        cluster = name[cluster]
    return cluster


def _renumber(label: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    _, first, back = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first, kind="stable"), kind="stable")[back].astype(np.int64)
