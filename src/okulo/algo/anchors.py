"""Anchors of a detector: typical sizes of its boxes, by k-means where the distance is 1 − IoU.

Redmon & Farhadi 2017 (arXiv 1612.08242, sec. 2): boxes are laid on a common centre, so that only width and
height count, and large boxes weigh no more than small ones.
"""

import numpy as np
from jaxtyping import Float64

from okulo.core.errors import BadInput

ROUNDS = 100


def size_iou(a: Float64[np.ndarray, "n 2"], b: Float64[np.ndarray, "m 2"]) -> Float64[np.ndarray, "n m"]:
    """Overlap of boxes (width, height) of one centre.

    >>> size_iou(np.array([[2.0, 1.0]]), np.array([[1.0, 1.0], [1.0, 2.0]])).round(3)
    array([[0.5  , 0.333]])
    """
    both = np.minimum(a[:, None], b[None]).prod(axis=2)
    whole = a.prod(axis=1)[:, None] + b.prod(axis=1)[None] - both
    return np.asarray(both / np.maximum(whole, 1e-12))


def find_anchors(
    sizes: Float64[np.ndarray, "n 2"], count: int, rng: np.random.Generator, *, starts: int = 5
) -> tuple[Float64[np.ndarray, "count 2"], float]:
    """Find `count` sizes, the smallest first, and the mean overlap of boxes with their best one.

    Clusters move to the median of what is theirs; the best of `starts` beginnings (k-means++) is taken.
    Fewer different boxes than anchors give some a size in between.

    >>> boxes = np.array([[10.0, 10.0], [11.0, 10.0], [10.0, 11.0], [40.0, 20.0], [42.0, 21.0]])
    >>> anchors, overlap = find_anchors(boxes, 2, np.random.default_rng(0))
    >>> anchors.tolist(), round(overlap, 2)
    ([[10.0, 10.0], [41.0, 20.5]], 0.94)
    """
    sizes = sizes[(sizes > 0).all(axis=1) & np.isfinite(sizes).all(axis=1)]
    if not len(sizes):
        raise BadInput("boxes", wanted="some of width and height above 0", got="none")
    if count < 1:
        raise BadInput("anchors", wanted="1 or more", got=count)
    tries = [_cluster(sizes, _begin(sizes, count, rng)) for _ in range(starts)]
    best = max(tries, key=lambda anchors: mean_overlap(sizes, anchors))
    return best[np.argsort(best.prod(axis=1), kind="stable")], mean_overlap(sizes, best)


def mean_overlap(sizes: Float64[np.ndarray, "n 2"], anchors: Float64[np.ndarray, "m 2"]) -> float:
    """Mean overlap of boxes with the anchor that suits each best."""
    return float(size_iou(sizes, anchors).max(axis=1).mean())


def _begin(sizes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw beginnings far from each other (Arthur & Vassilvitskii 2007), some spread where boxes are few."""
    chosen = [sizes[rng.integers(len(sizes))]]
    while len(chosen) < count:
        away = (1 - size_iou(sizes, np.array(chosen)).max(axis=1)) ** 2
        if away.sum() <= 1e-12:
            chosen.append(sizes[rng.integers(len(sizes))] * np.exp(rng.normal(0, 0.3, 2)))
        else:
            chosen.append(sizes[rng.choice(len(sizes), p=away / away.sum())])
    return np.array(chosen)


def _cluster(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    owner = np.full(len(sizes), -1)
    for _ in range(ROUNDS):
        now = size_iou(sizes, anchors).argmax(axis=1)
        if (now == owner).all():
            break
        owner = now
        anchors = np.array(
            [np.median(sizes[owner == i], axis=0) if (owner == i).any() else a for i, a in enumerate(anchors)]
        )
    return anchors
