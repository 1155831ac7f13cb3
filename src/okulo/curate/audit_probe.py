"""Out-of-fold probabilities from embeddings in seconds: a kernel probe and nearest neighbours, twice.

The two witnesses err differently: a probe smooths wrong labels out over a region, neighbours follow any
boundary but listen to few. The probe is regularised least squares on 500 landmarks (Nyström features of a
Gaussian kernel, Williams and Seeger 2001): a linear one on raw embeddings misses errors near curved
boundaries, and a logistic one takes twenty times as long to rank them no better. A second round hears
labels that the first round doubts with less weight, so that a repeated mistake (every third coat called a
shirt) does not teach itself. (Through these weights a label has a slight say in its own judgement.)
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Float64, Int64

from okulo.core.errors import BadInput
from okulo.core.protocols import Progress, silent
from okulo.curate.outliers import Neighbours, find_neighbours

WIDEST = 256
"""Longer vectors are brought down to so many principal components."""
NEIGHBOURS = 20
LANDMARKS = 500
BANDWIDTH = 2.0
"""Variance of the kernel, in median squared distances to the 20th neighbour."""
RIDGE = 0.1
"""Penalty on the squared weights of the probe."""
LEAST = 1e-3
"""Least squares can answer below 0; no class gets less than this before the answer is scaled to 1."""
VOTED = 0.6
"""Share of the neighbours in the answer; the rest is the probe's."""
DOUBTED = 0.2
"""Share of the given label against the best other below which a label is heard with less weight."""


def prepare(vectors: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n e"]:
    """Standardise as a whole (one scale for all features), and keep at most 256 principal components.

    >>> prepare(np.float32([[0, 0], [2, 0], [4, 0]])).round(2).ravel()
    array([-1.22,  0.  ,  1.22], dtype=float32)
    """
    centred: np.ndarray = vectors - vectors.mean(axis=0)
    spread = centred.std(axis=0)
    centred = centred[:, spread > 1e-12]  # features that never change say nothing
    if centred.shape[1] == 0:
        raise BadInput("column embedding", "is the same for every item", hint="was it made by a model?")
    if centred.shape[1] > WIDEST:
        covariance = centred.T @ centred / len(centred)
        _, axes = np.linalg.eigh(covariance.astype(np.float64))
        centred = centred @ axes[:, : -WIDEST - 1 : -1].astype(np.float32)
    return np.ascontiguousarray(centred / np.sqrt((centred**2).sum(axis=1).mean() / centred.shape[1]))


def make_folds(
    given: Int64[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"] | None,
    *,
    folds: int,
    rng: np.random.Generator,
) -> Int64[np.ndarray, " n"]:
    """Give every item a fold; classes are spread evenly, and a group is never torn apart.

    >>> said = np.array([0, 0, 0, 0, 1, 1])
    >>> fold = make_folds(said, np.array([5, 5, -1, -1, -1, -1]), folds=2, rng=np.random.default_rng(0))
    >>> bool(fold[0] == fold[1]), np.bincount(fold).tolist()
    (True, [3, 3])
    """
    n = len(given)
    unit = np.arange(n)
    if groups is not None:
        grouped = groups >= 0
        _, which = np.unique(groups[grouped], return_inverse=True)
        unit[grouped] = n + which
    _, first, unit, size = np.unique(unit, return_index=True, return_inverse=True, return_counts=True)
    label = given[first]
    fold_of = np.zeros(len(first), np.int64)
    filled = np.zeros((int(given.max(initial=0)) + 1, folds), np.int64)
    # Big groups first, then at random: each goes where its class, then the whole, has least.
    for each in sorted(rng.permutation(len(first)), key=lambda i: -size[i]):
        counts = filled[label[each]] * n + filled.sum(axis=0)
        fold_of[each] = counts.argmin()
        filled[label[each], fold_of[each]] += size[each]
    return fold_of[unit]


def out_of_fold(
    vectors: Float32[np.ndarray, "n d"],
    given: Int64[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"] | None,
    *,
    classes: int,
    folds: int,
    rounds: int,
    rng: np.random.Generator,
    neighbours: Neighbours | None = None,
    progress: Progress = silent,
) -> Float32[np.ndarray, "n k"]:
    """Probability of every class for every item, from models that never saw its label nor its copies'."""
    fold = make_folds(given, groups, folds=folds, rng=rng)
    near = neighbours or find_neighbours(vectors, groups, m=NEIGHBOURS)
    weight = np.ones(len(given), np.float64)
    features = landmark_features(vectors, near, rng=rng)
    answer: np.ndarray = np.empty((len(given), classes), np.float32)
    steps = progress(range(rounds * folds), label="asking out of fold", total=rounds * folds)
    for _ in range(rounds):
        probed = probe(features, given, fold, weight, classes=classes, steps=steps)
        voted = vote(near, given, weight, classes=classes)
        answer = ((1 - VOTED) * probed + VOTED * voted).astype(np.float32)
        weight = label_weight(answer, given)
    for _ in steps:  # lets the progress bar end
        pass
    return answer


def landmark_features(
    vectors: Float32[np.ndarray, "n d"], near: Neighbours, *, rng: np.random.Generator
) -> Float32[np.ndarray, "n m"]:
    """Features whose inner products are those of a Gaussian kernel, as seen from at most 500 of the rows."""
    n = len(vectors)
    marks = vectors[rng.permutation(n)[: max(2, min(LANDMARKS, n // 2))]]
    reach = np.where(np.isfinite(near.distance), near.distance, 0).max(axis=1)
    variance = BANDWIDTH * max(float(np.median(reach)), 1e-6)
    values, axes = np.linalg.eigh(_kernel(marks, marks, variance).astype(np.float64))
    kept = values > 1e-3 * values.max()
    whiten = (axes[:, kept] / np.sqrt(values[kept])).astype(np.float32)
    return np.concatenate(
        [_kernel(part, marks, variance) @ whiten for part in np.array_split(vectors, -(-n // 8192))]
    )


def _kernel(rows: np.ndarray, marks: np.ndarray, variance: float) -> np.ndarray:
    far = (rows**2).sum(axis=1)[:, None] + (marks**2).sum(axis=1)[None, :] - 2 * rows @ marks.T
    return np.asarray(np.exp(-np.maximum(far, 0) / (2 * variance)), np.float32)


def probe(
    features: Float32[np.ndarray, "n m"],
    given: Int64[np.ndarray, " n"],
    fold: Int64[np.ndarray, " n"],
    weight: Float64[np.ndarray, " n"],
    *,
    classes: int,
    steps: Iterator[int] | None = None,
) -> Float32[np.ndarray, "n k"]:
    """Ask each fold's items with a probe fitted to the other folds."""
    answer = np.zeros((len(given), classes), np.float32)
    for held in np.unique(fold):
        next(steps or iter(()), None)
        test = fold == held
        answer[test] = fit_probe(
            features[~test], given[~test], features[test], weight[~test], classes=classes
        )
    return answer


def fit_probe(
    features: Float32[np.ndarray, "n m"],
    given: Int64[np.ndarray, " n"],
    asked: Float32[np.ndarray, "q m"],
    weight: Float64[np.ndarray, " n"] | None = None,
    *,
    classes: int,
) -> Float32[np.ndarray, "q k"]:
    """Fit on some rows, answer for others; in closed form.

    Least squares on one-hot labels: as the best function of the squared error is the class's probability, its
    answers are taken for such (Hastie et al. 2009, section 4.2). A class nobody was given gets next to none.
    """
    heard = (np.ones(len(given)) if weight is None else weight).astype(np.float32)
    share = np.bincount(given, weights=heard, minlength=classes) / max(float(heard.sum()), 1e-9)
    wanted = -np.tile(share, (len(given), 1))
    wanted[np.arange(len(given)), given] += 1.0
    scaled = features * heard[:, None]
    moments = (scaled.T @ features).astype(np.float64)
    moments[np.diag_indices(len(moments))] += RIDGE
    found = np.linalg.solve(moments, scaled.T @ wanted)
    answer = np.clip(asked @ found + share, LEAST, 1.0)
    return np.asarray(answer / answer.sum(axis=1, keepdims=True), np.float32)


def vote(
    near: Neighbours, given: Int64[np.ndarray, " n"], weight: Float64[np.ndarray, " n"], *, classes: int
) -> Float32[np.ndarray, "n k"]:
    """Neighbours' labels, near ones heard more (a Gaussian as wide as the surroundings), a little prior."""
    n = len(given)
    known = near.index >= 0
    farthest = np.where(known, near.distance, 0).max(axis=1, keepdims=True) + 1e-12
    heard = np.where(known, np.exp(-2 * np.where(known, near.distance, 0) / farthest), 0.0)
    heard = heard * weight[near.index]
    cell = np.arange(n)[:, None] * classes + given[near.index]
    counted = np.bincount(cell[known], weights=heard[known], minlength=n * classes).reshape(n, classes)
    prior = 0.5 * np.bincount(given, minlength=classes) / n
    return np.asarray((counted + prior) / (counted.sum(axis=1, keepdims=True) + 0.5), np.float32)


def label_weight(
    probabilities: Float32[np.ndarray, "n k"], given: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """How far a label is believed in the next round: 1, falling to 0 as another class gets surer.

    >>> label_weight(np.float32([[0.6, 0.4], [0.1, 0.9]]), np.array([0, 0])).round(2)
    array([1. , 0.5])
    """
    rows = np.arange(len(given))
    own = probabilities[rows, given].astype(np.float64)
    others = probabilities.copy()
    others[rows, given] = 0.0
    share = own / (own + others.max(axis=1) + 1e-12)
    return np.asarray(np.minimum(1.0, share / DOUBTED), np.float64)
