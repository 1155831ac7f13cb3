"""How unsure a model is, how many to take of each class, and which rows cover the rest."""

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from okulo.core.errors import BadInput

UNCERTAINTY = ("least-confident", "margin", "entropy")


def uncertainty(probabilities: Float[np.ndarray, "n k"], how: str) -> Float64[np.ndarray, " n"]:
    """How unsure the answer is, 0 (sure) to 1 (all classes alike); Settles 2009, section 3.1.

    >>> p = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    >>> uncertainty(p, "margin").tolist(), uncertainty(p, "least-confident").tolist()
    ([1.0, 0.0], [0.75, 0.0])
    >>> uncertainty(p, "entropy").round(3).tolist()
    [0.631, 0.0]
    """
    p = probabilities.astype(np.float64)
    k = p.shape[1]
    if how == "entropy":
        safe = np.where(p > 0, p, 1.0)
        return np.asarray((p * np.log(1 / safe)).sum(axis=1) / np.log(k))
    top = np.sort(p, axis=1)
    if how == "margin":
        return np.asarray(1 - (top[:, -1] - top[:, -2]))
    if how == "least-confident":
        return np.asarray((1 - top[:, -1]) * k / (k - 1))
    raise BadInput("how", wanted=f"one of {', '.join(UNCERTAINTY)}", got=repr(how))


def fill_evenly(
    have: Int64[np.ndarray, " k"], offered: Int64[np.ndarray, " k"], wanted: int
) -> Int64[np.ndarray, " k"]:
    """How many to take of each class so that what is had and taken is as even as what is offered allows.

    >>> fill_evenly(np.array([10, 2, 0]), np.array([5, 5, 5]), 6)
    array([0, 2, 4])
    >>> fill_evenly(np.array([0, 0]), np.array([1, 9]), 4)
    array([1, 3])
    """
    take = np.zeros(len(have), np.int64)
    for _ in range(min(wanted, int(offered.sum()))):
        level = np.where(take < offered, have + take, np.iinfo(np.int64).max)
        take[level.argmin()] += 1
    return take


def fill_in_proportion(
    share: Float[np.ndarray, " k"], offered: Int64[np.ndarray, " k"], wanted: int
) -> Int64[np.ndarray, " k"]:
    """How many to take of each class in proportion to `share`, as far as they are offered.

    >>> fill_in_proportion(np.array([3.0, 1.0, 0.0]), np.array([9, 9, 9]), 4)
    array([3, 1, 0])
    >>> fill_in_proportion(np.array([3.0, 1.0, 0.0]), np.array([1, 9, 9]), 4)
    array([1, 3, 0])
    """
    take = np.zeros(len(share), np.int64)
    for _ in range(min(wanted, int(offered.sum()))):
        # The class that is furthest behind its share (Webster): exact, and never offers what is not there.
        behind = np.where(take < offered, (share + 1e-12) / (2 * take + 1), -1.0)
        take[behind.argmax()] += 1
    return take


def nearest_labelled(
    vectors: Float32[np.ndarray, "n d"], labelled: Float32[np.ndarray, "m d"]
) -> Float32[np.ndarray, " n"]:
    """Squared distance of each row to the nearest labelled one; without any, to the middle of all rows.

    >>> nearest_labelled(np.float32([[0], [3]]), np.float32([[1]])).tolist()
    [1.0, 4.0]
    """
    import faiss

    if not len(labelled):
        return np.asarray(((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1) + 1e-12, np.float32)
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(labelled))
    distance, _ = index.search(np.ascontiguousarray(vectors), 1)
    return np.maximum(distance[:, 0], 0).astype(np.float32)


def local_distance(
    vectors: Float32[np.ndarray, "n d"], *, rng: np.random.Generator, m: int = 20, sample: int = 1000
) -> float:
    """Median distance of a row to its `m`-th nearest other row, measured on at most `sample` rows.

    >>> local_distance(np.float32([[0], [1], [2], [3]]), rng=np.random.default_rng(0), m=1)
    1.0
    """
    import faiss

    n = len(vectors)
    if n < 2:
        return 0.0
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    asked = np.ascontiguousarray(vectors[rng.permutation(n)[:sample]])
    distance, _ = index.search(asked, min(m + 1, n))
    return float(np.sqrt(max(0.0, float(np.median(distance[:, -1])))))


def cover(
    vectors: Float32[np.ndarray, "n d"],
    weight: Float64[np.ndarray, " n"],
    nearest: Float32[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    wanted: int,
    *,
    reach: float = 0.0,
) -> tuple[Int64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Choose rows one by one, each where weight × newness is largest; at most one of a group.

    Newness is the distance to the nearest labelled or chosen row. With weight 1 that is k-center greedy
    (Sener and Savarese 2018, arXiv 1708.00489, algorithm 1), which no other polynomial method beats on the
    largest distance left. With a `reach` it is 1 - exp(-(distance / reach)² / 2): what is much nearer than
    `reach` to something known is passed over, and beyond it distance no longer counts, so that outliers are
    not sought.
    Returns the rows and their distances when they were chosen.

    >>> line = np.float32([[0], [1], [2], [9]])
    >>> cover(line, np.ones(4), np.float32([0, 1, 4, 81]), np.full(4, -1), 2)[0].tolist()
    [3, 2]
    """
    from okulo.curate.pick_kernels import greedy_cover

    rows, far = greedy_cover(
        np.ascontiguousarray(vectors), weight, nearest.astype(np.float64), groups, wanted, reach
    )
    return rows, np.sqrt(far)
