"""Where on the road each tracked vehicle stands: its contact point, and how exactly that is known."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from okulo.apps.speed.calibration import Calibration
from okulo.core.errors import BadInput
from okulo.core.nouns import Tracks

EDGE_PX = 2.0
"""A box so near to the picture's edge is cut off there: its lower side is not where the wheels are."""


@dataclass(frozen=True)
class Ground:
    """Observations on the road, those of one vehicle together and in time; row i is one observation."""

    row: Int64[np.ndarray, " n"]
    """Which row of the tracks it is."""
    track: Int64[np.ndarray, " n"]
    time_s: Float64[np.ndarray, " n"]
    pixel: Float64[np.ndarray, "n 2"]
    """The contact point: the middle of the box's lower side."""
    metres: Float64[np.ndarray, "n 2"]
    unit_m: Float64[np.ndarray, "n 2"]
    """How far, in x and y, an error of the box by its own size moves the point."""
    sway: Float64[np.ndarray, " n"]
    """Relative uncertainty of lengths here, along the road, from how exactly the calibration was marked."""
    starts: Int64[np.ndarray, " ends"]
    """Where each vehicle begins, and the end."""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def vehicles(self) -> int:
        """How many."""
        return len(self.starts) - 1


def stand(tracks: Tracks, calibration: Calibration) -> Ground:
    """Put tracks on the road; boxes that the picture's edge cuts off, or above the horizon, are left out.

    A track whose clock does not run forward is BadInput.
    """
    boxes = tracks.xyxy.astype(np.float64)
    pixel = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
    good = np.flatnonzero(whole(boxes, calibration.frame_px) & calibration.seen(pixel))
    order = good[np.lexsort((tracks.time_s[good], tracks.track[good]))]
    track, time_s = tracks.track[order], tracks.time_s[order]
    same = track[1:] == track[:-1]
    twice = np.flatnonzero(same & (np.diff(time_s) <= 0))
    if len(twice):
        at = int(twice[0])
        raise BadInput(
            f"track {track[at]}", f"is seen twice at {time_s[at]:g} s", hint="did the clock stand still?"
        )
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1, [len(track)]]) if len(track) else np.zeros(1)
    size = (boxes[:, 2:] - boxes[:, :2])[order]
    pixel = pixel[order]
    J = calibration.metres_a_pixel(pixel)
    wobble = np.stack([size[:, 0] / np.sqrt(2), size[:, 1]], axis=1)  # the middle is the mean of two sides
    return Ground(
        row=order,
        track=track,
        time_s=time_s,
        pixel=pixel,
        metres=calibration.ground(pixel),
        unit_m=np.sqrt(((J * wobble[:, None, :]) ** 2).sum(axis=2)),
        sway=sway(calibration, pixel),
        starts=starts.astype(np.int64),
    )


GAP_S = 0.15
"""A track that was not seen for so long may have gone on as another vehicle."""
NEAR = 8
"""Observations on either side of a gap that say which way it went."""


def cut_reversals(tracks: Tracks, calibration: Calibration) -> Tracks:
    """Cut tracks in two where, after a gap, they run the other way: one vehicle left as another one came.

    The part behind the gap gets a number of its own.
    """
    ground = stand(tracks, calibration)
    number, free = tracks.track.copy(), int(tracks.track.max(initial=0)) + 1
    for a, b in zip(ground.starts[:-1], ground.starts[1:]):
        for k in (a + 1 + np.flatnonzero(np.diff(ground.time_s[a:b]) > GAP_S)).tolist():
            before = _way(ground, max(int(a), k - NEAR), k)
            after = _way(ground, k, min(int(b), k + NEAR))
            if before @ after < 0 and min(np.linalg.norm(before), np.linalg.norm(after)) > 1.0:
                behind = (tracks.track == ground.track[k]) & (tracks.time_s >= ground.time_s[k])
                number[behind] = free
                free += 1
    return replace(tracks, track=number)


def _way(ground: Ground, a: int, b: int) -> Float64[np.ndarray, "2"]:
    return np.asarray(ground.metres[b - 1] - ground.metres[a])


def whole(boxes: Float64[np.ndarray, "n 4"], frame_px: tuple[int, int]) -> Bool[np.ndarray, " n"]:
    """Whether a box lies inside the picture with all its sides.

    >>> whole(np.array([[5.0, 5, 9, 9], [5, 5, 9, 100]]), (50, 100)).tolist()
    [True, False]
    """
    inside = np.array(frame_px) - EDGE_PX
    return np.asarray((boxes[:, :2] >= EDGE_PX).all(axis=1) & (boxes[:, 2:] <= inside).all(axis=1))


def sway(calibration: Calibration, pixel: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, " n"]:
    """Relative standard deviation of a length along the road here, from clicks that are a little off."""
    if not calibration.click_px or not len(pixel):
        return np.zeros(len(pixel))
    J = calibration.metres_a_pixel(pixel)
    along = np.linalg.solve(J, np.broadcast_to(np.array([0.0, 1.0])[:, None], (len(pixel), 2, 1)))
    total = np.zeros(len(pixel))
    for other in nudged(calibration):
        length = np.linalg.norm(other.metres_a_pixel(pixel) @ along, axis=1)[:, 0]
        total += (length - 1) ** 2
    return np.asarray(np.sqrt(total))


def nudged(calibration: Calibration) -> list[Calibration]:
    """The calibration with each marked coordinate moved by as much as it may be off, one at a time."""
    made = []
    for i in range(len(calibration.pixels)):
        for axis in range(2):
            moved = calibration.pixels.copy()
            moved[i, axis] += calibration.click_px
            a, b, c, d = (tuple(each) for each in moved[:4].tolist())
            more = tuple((*moved[4 + j].tolist(), *each[2:]) for j, each in enumerate(calibration.more))
            made.append(replace(calibration, corners_px=(a, b, c, d), more=more))
    return made
