"""Follow objects through time: ByteTrack's two-stage association (Zhang et al. 2022, arXiv 2110.06864).

Where it differs from the paper: motion is told in seconds, so frames may be dropped or come at any rate;
noise grows with time and with the box's size, not with its height per frame; all boxes move in one array,
since the 8×8 Kalman filter of a box is four independent 2×2 ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.optimize import linear_sum_assignment

from okulo.algo import track_kernels as kernels
from okulo.core.errors import BadInput
from okulo.core.nouns import Detections, Tracks


@dataclass(frozen=True, kw_only=True)
class Following:
    """How a tracker decides; noise is told in box sizes √(width·height)."""

    high: float = 0.5
    """Detections of at least this score are matched first, and alone begin tracks."""
    low: float = 0.1
    """Weaker ones are not looked at."""
    begin: float = 0.6
    """Score from which a detection that nobody claims begins a track."""
    least_first: float = 0.2
    """Smallest IoU × score of a match with a strong detection."""
    least_second: float = 0.5
    """Smallest IoU of a match with a weak one."""
    least_new: float = 0.3
    """Smallest IoU × score that confirms a track seen only once."""
    lost_s: float = 1.0
    """How long a track that is not seen is kept."""
    doubt: float = 1.0
    """Boxes are widened by so many standard deviations of the predicted place before they are compared."""
    widest: float = 1.0
    """But by no more than this, in sizes: else whoever comes next would be taken for who has gone."""
    apart: bool = False
    """Match within a class only; off, since detectors waver between car and truck."""
    push: float = 8.0
    """Strength of unknown acceleration, sizes per s^1.5."""
    drift: float = 0.2
    """Strength of unknown displacement, sizes per √s."""
    jitter: float = 0.03
    """Standard deviation of a seen box's sides."""

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= self.begin <= 1:
            said = f"{self.low}, {self.high}, {self.begin}"
            raise BadInput("low, high, begin", wanted="0 ≤ low ≤ high ≤ begin ≤ 1", got=said)
        for name in ("lost_s", "push", "drift", "jitter"):
            if not getattr(self, name) >= 0:
                raise BadInput(name, wanted="a number ≥ 0", got=getattr(self, name))


@dataclass(frozen=True)
class Step:
    """What became of each detection of one frame."""

    track: Int64[np.ndarray, " n"]
    """Its track, from 1; −1 where it belongs to none."""
    sure: Bool[np.ndarray, " n"]
    """Whether that track was seen at least twice."""


class Tracker:
    """Follows objects frame by frame; memory holds the present tracks only.

    >>> tracker = Tracker()
    >>> one = Detections(np.float32([[0, 0, 20, 20]]), np.float32([0.9]), np.int32([0]))
    >>> [tracker.step(t, one).track.tolist() for t in (0.0, 0.04)]
    [[1], [1]]
    >>> tracker.step(0.03, one)
    Traceback (most recent call last):
    okulo.core.errors.BadInput: time_s: expected later than 0.04 s, got 0.03 s; the clock went backwards
    """

    def __init__(self, following: Following = Following()) -> None:  # frozen
        self.following = following
        self.time_s = -np.inf
        self.begun = 0
        self._keep(np.zeros(0, bool))

    def _keep(self, mask: Bool[np.ndarray, " n"]) -> None:
        if not len(mask):
            self.number = np.zeros(0, np.int64)
            self.state = np.zeros((0, 4, 2))  # position and velocity of cx, cy, w, h
            self.spread = np.zeros((0, 4, 3))  # their variances: position, both, velocity
            self.seen_s = np.zeros(0)
            self.hits = np.zeros(0, np.int64)
            self.label = np.zeros(0, np.int32)
        elif not mask.all():
            for name in ("number", "state", "spread", "seen_s", "hits", "label"):
                setattr(self, name, getattr(self, name)[mask])

    def __len__(self) -> int:
        return len(self.number)

    def step(self, time_s: float, found: Detections) -> Step:
        """Take in one frame's detections."""
        how = self.following
        dt_s = self._advance(time_s)
        boxes = centred(found.xyxy.astype(np.float64))
        score = found.score.astype(np.float64)
        track = np.full(len(found), -1)
        kernels.predict(self.state, self.spread, dt_s, how.push, how.drift)
        sure = self.hits > 1
        strong, weak = score >= how.high, (score >= how.low) & (score < how.high)
        plain = np.ones(len(found))
        self._match(sure, strong, track, boxes, score, found.label, how.least_first)
        present = sure & (self.seen_s == self._before)
        self._match(present, weak, track, boxes, plain, found.label, how.least_second)
        self._match(~sure, strong, track, boxes, score, found.label, how.least_new)
        rows = np.flatnonzero(track >= 0)
        kernels.correct(self.state, self.spread, track[rows], boxes[rows], how.jitter)
        self.seen_s[track[rows]] = time_s
        self.hits[track[rows]] += 1
        gone = np.where(self.hits > 1, time_s - self.seen_s > how.lost_s, self.seen_s != time_s)
        number = np.where(track >= 0, self.number[track] if len(self) else -1, -1)
        certain = np.where(track >= 0, self.hits[track] > 1 if len(self) else False, False)
        self._keep(~gone)
        fresh = np.flatnonzero((track < 0) & (score >= how.begin))
        number[fresh] = self._begin(time_s, boxes[fresh], found.label[fresh])
        return Step(number, certain)

    def _advance(self, time_s: float) -> float:
        if not np.isfinite(time_s):
            raise BadInput("time_s", wanted="a finite number of seconds", got=time_s)
        if time_s <= self.time_s:
            raise BadInput(
                "time_s",
                wanted=f"later than {self.time_s:g} s",
                got=f"{time_s:g} s",
                hint="the clock went backwards" if time_s < self.time_s else "two frames at one time",
            )
        self._before = self.time_s
        self.time_s = float(time_s)
        return time_s - self._before if np.isfinite(self._before) else 0.0

    def _match(
        self,
        who: Bool[np.ndarray, " tracks"],
        which: Bool[np.ndarray, " n"],
        track: Int64[np.ndarray, " n"],
        boxes: Float64[np.ndarray, "n 4"],
        weight: Float64[np.ndarray, " n"],
        label: np.ndarray,
        least: float,
    ) -> None:
        """Match free tracks of `who` with free detections of `which`; writes the track's row into `track`."""
        free = np.ones(len(self), bool)
        free[track[track >= 0]] = False
        rows, columns = np.flatnonzero(who & free), np.flatnonzero(which & (track < 0))
        if not len(rows) or not len(columns):
            return
        how = self.following
        similar = kernels.overlap(
            self.state,
            self.spread,
            rows,
            boxes,
            columns,
            weight,
            how.doubt,
            how.widest,
            how.apart,
            self.label,
            label,
        )
        r, c = assign(similar, least)
        track[columns[c]] = rows[r]

    def _begin(
        self, time_s: float, boxes: Float64[np.ndarray, "m 4"], label: np.ndarray
    ) -> Int64[np.ndarray, " m"]:
        m, how = len(boxes), self.following
        number = np.arange(self.begun + 1, self.begun + 1 + m)
        if not m:
            return number
        self.begun += m
        area = (boxes[:, 2] * boxes[:, 3])[:, None]
        spread = np.zeros((m, 4, 3))
        spread[..., 0] = how.jitter**2 * area
        spread[..., 2] = FASTEST**2 * area
        self.number = np.concatenate([self.number, number])
        self.state = np.concatenate([self.state, np.stack([boxes, np.zeros_like(boxes)], axis=2)])
        self.spread = np.concatenate([self.spread, spread])
        self.seen_s = np.concatenate([self.seen_s, np.full(m, time_s)])
        self.hits = np.concatenate([self.hits, np.ones(m, np.int64)])
        self.label = np.concatenate([self.label, label])
        return number


FASTEST = 2.0
"""Standard deviation of the speed of an object seen once, sizes per second."""


def assign(
    similarity: Float64[np.ndarray, "n m"], least: float
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Pair rows with columns for the largest total similarity; pairs below `least` are none.

    >>> rows, columns = assign(np.array([[0.9, 0.8], [0.8, 0.0], [0.0, 0.1]]), 0.2)
    >>> rows.tolist(), columns.tolist()
    ([0, 1], [1, 0])
    """
    found, rows, columns = kernels.unrivalled(similarity, least)
    r = np.flatnonzero(found >= 0)
    c = found[r]
    if len(rows) and len(columns):  # only who has a rival needs the solver
        left = similarity[np.ix_(rows, columns)]
        left[left < least] = 0.0
        i, j = linear_sum_assignment(left, maximize=True)
        good = left[i, j] >= least
        r, c = np.concatenate([r, rows[i[good]]]), np.concatenate([c, columns[j[good]]])
    return r, c


def centred(xyxy: Float64[np.ndarray, "n 4"]) -> Float64[np.ndarray, "n 4"]:
    """Boxes as centre, width and height; sides of at least a pixel.

    >>> centred(np.array([[0.0, 2.0, 4.0, 8.0]])).tolist()
    [[2.0, 5.0, 4.0, 6.0]]
    """
    size = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 1.0)
    return np.concatenate([(xyxy[:, :2] + xyxy[:, 2:]) / 2, size], axis=1)


def track(frames: Iterable[tuple[float, Detections]], following: Following = Following()) -> Tracks:
    """Follow the objects of frames (time in seconds, detections); boxes are as they were detected.

    Unlike frame by frame, the first box of a track is there too: it is known afterwards that it was one.

    >>> one = Detections(np.float32([[0, 0, 20, 20]]), np.float32([0.9]), np.int32([0]))
    >>> track([(0.0, one), (0.04, one), (0.2, one)]).track.tolist()
    [1, 1, 1]
    """
    tracker = Tracker(following)
    parts: list[tuple[np.ndarray, float, Detections, np.ndarray]] = []
    sure: set[int] = set()
    for time_s, found in frames:
        step = tracker.step(time_s, found)
        rows = np.flatnonzero(step.track >= 0)
        parts.append((step.track[rows], time_s, found, rows))
        sure.update(step.track[step.sure].tolist())
    number = np.concatenate([part[0] for part in parts] or [np.zeros(0, np.int64)]).astype(np.int64)
    good = np.isin(number, np.fromiter(sure, np.int64, len(sure)))

    def column(pick: str, width: tuple[int, ...], kind: type[np.generic]) -> np.ndarray:
        made = [getattr(found, pick)[rows] for _, _, found, rows in parts]
        return np.concatenate(made or [np.zeros((0, *width), kind)])[good]

    time = np.concatenate([np.full(len(rows), t) for _, t, _, rows in parts] or [np.zeros(0)])
    return Tracks(
        track=number[good],
        time_s=time[good],
        xyxy=column("xyxy", (4,), np.float32),
        score=column("score", (), np.float32),
        label=column("label", (), np.int32),
    )
