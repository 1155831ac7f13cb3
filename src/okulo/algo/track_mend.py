"""Mend the tracks of a whole recording: join those of one object, and fill the gaps where it was hidden.

What a tracker cannot know frame by frame shows afterwards: where a track that begins had come from. Tracks
are joined by where both ends were going, without looks (Du et al. 2023, arXiv 2202.13514, learn this as
AFLink; here it is reckoned). Filling is the linear interpolation that ByteTrack's own results have.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import linear_sum_assignment

from okulo.algo.track import Following, centred
from okulo.core.errors import BadInput
from okulo.core.nouns import Tracks

RECORDED = Following(lost_s=0.5)
"""How to follow what is mended afterwards: give up soon, since joining looks from both sides."""
NOT_SEEN = 0.0
"""The score of a box that was filled in."""


@dataclass(frozen=True, kw_only=True)
class Mending:
    """How far apart two ends may be."""

    join_s: float = 2.0
    """Longest time between the end of a track and the beginning of what is taken for its rest."""
    fill_s: float = 2.0
    """Longest gap within a track that is filled."""
    look_s: float = 0.4
    """So much of each end says where it was going."""
    reach: float = 0.5
    """How far off an end may lie, in box sizes at once …"""
    widen: float = 3.0
    """… and how much more a second later."""
    alike: float = 0.25
    """Largest difference of the sides (logarithm)."""

    def __post_init__(self) -> None:
        for name in ("join_s", "fill_s", "look_s", "reach", "widen", "alike"):
            if not getattr(self, name) >= 0:
                raise BadInput(name, wanted="a number ≥ 0", got=getattr(self, name))


def mend(tracks: Tracks, time_s: Float64[np.ndarray, " t"], how: Mending = Mending()) -> Tracks:
    """Join and fill the tracks of a recording; `time_s` are the times of all its frames, also of empty ones.

    Rows come in the order of time. Boxes that were filled in have the score 0.

    >>> boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    >>> one = Tracks(np.array([1, 1, 2]), np.array([0.0, 0.1, 0.3]), boxes, np.ones(3, np.float32),
    ...              np.zeros(3, np.int32))
    >>> whole = mend(one, np.array([0.0, 0.1, 0.2, 0.3]))
    >>> whole.track.tolist(), whole.score.tolist()
    ([1, 1, 1, 1], [1.0, 1.0, 0.0, 1.0])
    """
    return fill(join(tracks, how), time_s, how.fill_s)


def join(tracks: Tracks, how: Mending = Mending()) -> Tracks:
    """Give tracks that are likely one object's the number of the first; rows stay as they are."""
    numbers, place = np.unique(tracks.track, return_inverse=True)
    n = len(numbers)
    if n < 2 or not how.join_s:
        return tracks
    rows = [np.flatnonzero(place == i) for i in range(n)]
    ends = [_end(tracks, row, how.look_s, last=True) for row in rows]
    begins = [_end(tracks, row, how.look_s, last=False) for row in rows]
    cost = np.full((n, n), np.inf)
    for i, (time_s, box, speed) in enumerate(ends):
        for j, (later_s, other, its_speed) in enumerate(begins):
            gap_s = later_s - time_s
            if i == j or not 0 < gap_s <= how.join_s:
                continue
            unlike = float(np.abs(np.log(other[2:] / box[2:])).max())
            size = np.sqrt(box[2] * box[3])
            ahead = np.linalg.norm(box[:2] + speed * gap_s - other[:2])
            back = np.linalg.norm(other[:2] - its_speed * gap_s - box[:2])
            far = float(ahead + back) / 2 / size / (how.reach + how.widen * gap_s)
            if unlike <= how.alike and far <= 1:
                cost[i, j] = far + unlike
    return _renumbered(tracks, numbers, place, cost)


def _renumbered(
    tracks: Tracks, numbers: Int64[np.ndarray, " n"], place: np.ndarray, cost: Float64[np.ndarray, "n n"]
) -> Tracks:
    """Join at least cost in all; each track goes on in one, and is gone on with by one."""
    before, after = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
    good = np.isfinite(cost[before, after])
    first = np.arange(len(numbers))
    follows = dict(zip(after[good].tolist(), before[good].tolist()))
    for i in range(len(numbers)):
        while int(first[i]) in follows:
            first[i] = follows[int(first[i])]
    return Tracks(numbers[first][place], tracks.time_s, tracks.xyxy, tracks.score, tracks.label)


End = tuple[float, Float64[np.ndarray, "4"], Float64[np.ndarray, "2"]]
"""Time, box (centre and sides) and velocity."""


def _end(tracks: Tracks, rows: Int64[np.ndarray, " m"], look_s: float, *, last: bool) -> End:
    """Where an end of a track is and goes, by a straight line through the boxes near it."""
    time_s = tracks.time_s[rows]
    at = float(time_s.max() if last else time_s.min())
    near = rows[np.abs(time_s - at) <= look_s]
    boxes = centred(tracks.xyxy[near].astype(np.float64))
    since = tracks.time_s[near] - at
    if len(near) < 3:
        return at, boxes[np.abs(since).argmin()], np.zeros(2)
    line = np.linalg.lstsq(np.column_stack([np.ones(len(near)), since]), boxes, rcond=None)[0]
    box = np.maximum(line[0], [-np.inf, -np.inf, 1.0, 1.0])
    return at, box, line[1, :2]


def fill(tracks: Tracks, time_s: Float64[np.ndarray, " t"], most_s: float) -> Tracks:
    """Add the boxes between, on a straight line, where a track has a gap of at most `most_s`."""
    order = np.lexsort((tracks.time_s, tracks.track))
    track, now, xyxy = tracks.track[order], tracks.time_s[order], tracks.xyxy[order]
    gaps = np.flatnonzero((track[1:] == track[:-1]) & (np.diff(now) <= most_s))
    frames = np.unique(time_s)
    first = np.searchsorted(frames, now[gaps] + 1e-9, side="right")
    count = np.maximum(np.searchsorted(frames, now[gaps + 1] - 1e-9, side="left") - first, 0)
    gap = np.repeat(gaps, count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    new_s = frames[np.repeat(first, count) + step]
    share = ((new_s - now[gap]) / (now[gap + 1] - now[gap]))[:, None]
    boxes = (1 - share) * xyxy[gap] + share * xyxy[gap + 1]
    said = (
        np.concatenate([tracks.track, track[gap]]),
        np.concatenate([tracks.time_s, new_s]),
        np.concatenate([tracks.xyxy, boxes.astype(np.float32)]),
        np.concatenate([tracks.score, np.full(len(gap), NOT_SEEN, np.float32)]),
        np.concatenate([tracks.label, tracks.label[order][gap]]),
    )
    rows = np.argsort(said[1], kind="stable")
    return Tracks(*(column[rows] for column in said))
