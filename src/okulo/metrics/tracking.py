"""How well tracks follow the truth: CLEAR MOT and identity measures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import linear_sum_assignment

from okulo.core.nouns import Tracks


@dataclass(frozen=True)
class TrackingScores:
    """MOTA and what it is made of (Bernardin and Stiefelhagen 2008), IDF1 (Ristani et al. 2016)."""

    mota: float
    """1 − (missed + invented + switches) / truths; below 0 where there are more errors than objects."""
    idf1: float
    """Share of boxes on the right identity all through: 2·IDTP / (truths + guesses)."""
    idp: float
    idr: float
    truths: int
    guesses: int
    missed: int
    invented: int
    switches: int


def tracking_scores(truth: Tracks, guess: Tracks, *, least_iou: float = 0.5) -> TrackingScores:
    """Compare tracks over the same times; a pair counts from `least_iou` on.

    As in py-motmetrics: who was paired in an earlier frame stays so while the boxes still meet, the others
    are assigned for the largest number of pairs and then the largest overlap.

    >>> def made(track, time_s, xyxy):
    ...     n = len(track)
    ...     return Tracks(np.array(track), np.array(time_s), np.float32(xyxy), np.ones(n, np.float32),
    ...                   np.zeros(n, np.int32))
    >>> truth = made([1, 1, 2], [0.0, 1.0, 1.0], [[0, 0, 4, 4], [0, 0, 4, 4], [9, 9, 12, 12]])
    >>> guess = made([7, 8], [0.0, 1.0], [[0, 0, 4, 4], [0, 0, 4, 4]])
    >>> scores = tracking_scores(truth, guess)
    >>> scores.missed, scores.switches, round(scores.mota, 3), scores.idf1
    (1, 1, 0.333, 0.4)
    """
    times = np.unique(np.concatenate([truth.time_s, guess.time_s]))
    true_ids, true_id = np.unique(truth.track, return_inverse=True)
    said_ids, said_id = np.unique(guess.track, return_inverse=True)
    true_rows, said_rows = _by_time(truth.time_s, times), _by_time(guess.time_s, times)
    together = np.zeros((len(true_ids), len(said_ids)), np.int64)
    last: dict[int, int] = {}
    missed = invented = switches = 0
    for a, b in zip(true_rows, said_rows):
        ids, others = true_id[a], said_id[b]
        iou = _iou(truth.xyxy[a], guess.xyxy[b])
        r, c = np.nonzero(iou >= least_iou)
        np.add.at(together, (ids[r], others[c]), 1)
        pairs = _pair(iou, ids, others, last, least_iou)
        for i, j in pairs:
            switches += last.get(int(ids[i]), int(others[j])) != int(others[j])
            last[int(ids[i])] = int(others[j])
        missed += len(ids) - len(pairs)
        invented += len(others) - len(pairs)
    right = _best_identities(together)
    n, m = len(truth), len(guess)
    return TrackingScores(
        mota=1 - (missed + invented + switches) / n if n else float("nan"),
        idf1=2 * right / (n + m) if n + m else float("nan"),
        idp=right / m if m else float("nan"),
        idr=right / n if n else float("nan"),
        truths=n,
        guesses=m,
        missed=missed,
        invented=invented,
        switches=switches,
    )


def _by_time(time_s: Float64[np.ndarray, " n"], times: Float64[np.ndarray, " t"]) -> list[np.ndarray]:
    order = np.argsort(time_s, kind="stable")
    return np.split(order, np.searchsorted(time_s[order], times[1:])) if len(times) else []


def _iou(a: np.ndarray, b: np.ndarray) -> Float64[np.ndarray, "n m"]:
    a, b = a.astype(np.float64)[:, None], b.astype(np.float64)[None]
    size = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(0)
    both = size.prod(axis=-1)
    either = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - both
    return np.asarray(both / np.maximum(either, 1e-12))


def _pair(
    iou: Float64[np.ndarray, "n m"],
    ids: Int64[np.ndarray, " n"],
    others: Int64[np.ndarray, " m"],
    last: dict[int, int],
    least_iou: float,
) -> list[tuple[int, int]]:
    """Pair this frame's boxes: first as before, then the rest at best."""
    place = {int(each): j for j, each in enumerate(others)}
    pairs: list[tuple[int, int]] = []
    for i, each in enumerate(ids):
        j = place.get(last.get(int(each), -1), -1)
        if j >= 0 and iou[i, j] >= least_iou and all(j != taken for _, taken in pairs):
            pairs.append((i, j))
    rows = np.setdiff1d(np.arange(len(ids)), [i for i, _ in pairs])
    columns = np.setdiff1d(np.arange(len(others)), [j for _, j in pairs])
    if len(rows) and len(columns):
        left = iou[np.ix_(rows, columns)]
        gain = np.where(left >= least_iou, left + len(rows) + len(columns), 0.0)  # one more pair beats all
        r, c = linear_sum_assignment(gain, maximize=True)
        pairs += [(int(rows[i]), int(columns[j])) for i, j in zip(r, c) if left[i, j] >= least_iou]
    return pairs


def _best_identities(together: Int64[np.ndarray, "n m"]) -> int:
    """IDTP: boxes on one identity, where identities are assigned one to one for the fewest errors.

    An error saved is a box in common gained, so that is the assignment with the most in common.
    """
    r, c = linear_sum_assignment(together, maximize=True)
    return int(together[r, c].sum())
