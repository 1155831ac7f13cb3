"""How one picture could lie on another: by local features and RANSAC, or by one of eight flips and turns."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Int64

from okulo.curate.duplicates.sketch import THUMB_PX, Sketch, View

RATIO = 0.9
"""A match is kept when its distance is at most this share of the second best's (Lowe 2004 says 0.8)."""
FEW = 4
"""Fewer matches than this fix no alignment."""
REACH_PX = 4.0
"""A match agrees with an alignment when it is this near, in pixels of the focused copy."""

UPRIGHT = (0, 1, 2, 3)
MIRRORED = (4, 5, 6, 7)


def flips(mirrored: bool) -> tuple[int, ...]:
    """Name the ways to lay one picture on another: 0 to 3 quarter turns, 4 to 7 the same after mirroring."""
    return UPRIGHT + MIRRORED if mirrored else UPRIGHT


def _flip_order() -> Int64[np.ndarray, "8 t"]:
    places = np.arange(THUMB_PX * THUMB_PX).reshape(THUMB_PX, THUMB_PX)
    ways = [np.rot90(each, turn) for each in (places, places[:, ::-1]) for turn in range(4)]
    return np.stack([way.ravel() for way in ways]).astype(np.int64)


FLIPS = _flip_order()


def best_flip(a: View, b: View, mirrored: bool) -> tuple[int, float]:
    """Say which flip of `a` looks most like `b` as a thumbnail, and the correlation (-1 to 1)."""
    ways = flips(mirrored)
    said = a.thumb[FLIPS[list(ways)]] @ b.thumb
    best = int(said.argmax())
    return ways[best], float(said[best])


TILTS_DEG = (-13.0, -7.0, 7.0, 13.0)


def _tilt_order() -> Int64[np.ndarray, "k t"]:
    """Where each value of the thumbnail comes from when it is turned by each of `TILTS_DEG`."""
    middle = (THUMB_PX - 1) / 2
    y, x = np.indices((THUMB_PX, THUMB_PX)) - middle
    ways = []
    for angle in np.radians(TILTS_DEG):
        cos, sin = np.cos(angle), np.sin(angle)
        across, down = cos * x + sin * y + middle, -sin * x + cos * y + middle
        column, row = (np.rint(each).clip(0, THUMB_PX - 1).astype(np.int64) for each in (across, down))
        ways.append((row * THUMB_PX + column).ravel())
    return np.stack(ways)


TILTED = _tilt_order()


def best_tilt(
    a: View, b: View, way: int, flat: Float64[np.ndarray, "2 3"], likeness: float
) -> Float64[np.ndarray, "2 3"]:
    """Where to start sliding: the flip, turned a little where the thumbnails then look more alike."""
    said = a.thumb[FLIPS[way]][TILTED] @ b.thumb
    best = int(said.argmax())
    if said[best] <= likeness:
        return flat
    height, width = b.small.shape[:2]
    angle = np.radians(TILTS_DEG[best])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin * width / height], [sin * height / width, cos]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([turn @ flat[:, :2], turn @ (flat[:, 2] - middle) + middle])


def flip_matrix(way: int, a: tuple[int, int], b: tuple[int, int]) -> Float64[np.ndarray, "2 3"]:
    """The affine map that lays all of `a` on all of `b` (height, width each), flipped this `way`.

    >>> (flip_matrix(1, (10, 20), (20, 10)) @ [19, 0, 1]).round(6)  # upper right comes to upper left
    array([0., 0.])
    """
    height, width = a
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5]])
    unit = (corners + 0.5) / (width, height)
    if way >= 4:
        unit[:, 0] = 1 - unit[:, 0]
    for _ in range(way % 4):  # np.rot90: against the clock
        unit = np.stack([unit[:, 1], 1 - unit[:, 0]], axis=1)
    target = unit * (b[1], b[0]) - 0.5
    return np.linalg.solve(np.column_stack([corners, np.ones(3)]), target).T


def _mirrored_bins() -> Int64[np.ndarray, "128"]:
    """Where each SIFT bin comes from in the mirrored picture: 4 × 4 cells of 8 directions."""
    bins = np.arange(128).reshape(4, 4, 8)
    return bins[::-1][:, :, (-np.arange(8)) % 8].ravel().astype(np.int64)


MIRRORED_BINS = _mirrored_bins()


def match(a: Float32[np.ndarray, "n 128"], b: Float32[np.ndarray, "m 128"]) -> Int64[np.ndarray, "k 2"]:
    """Pair features that are each other's nearest and clearly nearer than the second."""
    if len(a) < 2 or len(b) < 2:
        return np.zeros((0, 2), np.int64)
    likeness = a @ b.T
    rows = np.arange(len(a))
    nearest = likeness.argmax(axis=1)
    top = likeness[rows, nearest]
    mutual = likeness.argmax(axis=0)[nearest] == rows
    likeness[rows, nearest] = -1
    second = likeness.max(axis=1)
    clear = (2 - 2 * top) <= RATIO**2 * (2 - 2 * second)
    kept = np.flatnonzero(mutual & clear)
    return np.stack([kept, nearest[kept]], axis=1)


def align(a: Sketch, b: Sketch, mirrored: bool) -> tuple[Float64[np.ndarray, "2 3"], int] | None:
    """Find shift, turn and scale that lay `a`'s features on `b`'s, and how many agree; None for no such map.

    With `mirrored` the mirrored picture is tried too, by renaming the bins of its features.
    """
    found = _fit(a.at, b.at, match(a.features, b.features))
    if mirrored and (found is None or found[1] < 20):
        across = a.focus.small.shape[1] - 1
        flipped = a.at * np.array([-1, 1], np.float32) + np.array([across, 0], np.float32)
        other = _fit(flipped, b.at, match(a.features[:, MIRRORED_BINS], b.features))
        if other is not None and (found is None or other[1] > found[1]):
            back = np.array([[-1, 0, across], [0, 1, 0], [0, 0, 1]], np.float64)
            return other[0] @ back, other[1]
    return found


def _fit(
    a: Float32[np.ndarray, "n 2"], b: Float32[np.ndarray, "m 2"], pairs: Int64[np.ndarray, "k 2"]
) -> tuple[Float64[np.ndarray, "2 3"], int] | None:
    if len(pairs) < FEW:
        return None
    matrix, agree = cv2.estimateAffinePartial2D(
        a[pairs[:, 0]],
        b[pairs[:, 1]],
        method=cv2.RANSAC,
        ransacReprojThreshold=REACH_PX,
        maxIters=300,
        confidence=0.99,
        refineIters=5,
    )
    if matrix is None:
        return None
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if not 0.4 <= scale <= 2.5:
        return None
    return matrix, int(agree.sum())


def refine(
    a: View, b: View, starts: Sequence[Float64[np.ndarray, "2 3"]], hopeful: bool = True, steps: int = 30
) -> Float64[np.ndarray, "2 3"] | None:
    """Slide, turn and stretch `a` on `b` from the best of some first guesses until they correlate best.

    The enhanced correlation coefficient of Evangelidis & Psarakis 2008 (blind to gain and offset), on small
    grey copies: for pictures too smooth for local features. None where it fails, and where no guess
    correlates and nothing else makes one `hopeful`.
    """
    small_a, scale_a = _little(a)
    small_b, scale_b = _little(b)
    firsts = [_rescaled(each, scale_a, scale_b) for each in starts]
    said = [_likeness(small_a, small_b, each) for each in firsts]
    best = int(np.argmax(said))
    if said[best] < LEAST_LIKENESS and not hopeful:
        return None
    guess = cv2.invertAffineTransform(firsts[best]).astype(np.float32)
    rule = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-3)
    try:
        everywhere = np.full(small_a.shape, 255, np.uint8)
        _, found = cv2.findTransformECC(small_b, small_a, guess, cv2.MOTION_AFFINE, rule, everywhere, 3)
    except cv2.error:  # it says so when the pictures drift apart
        return None
    back = _rescaled(cv2.invertAffineTransform(found.astype(np.float64)), 1 / scale_a, 1 / scale_b)
    stretch = np.linalg.svd(back[:, :2], compute_uv=False)
    return back if stretch[1] >= 0.5 and stretch[0] <= 2 else None


LEAST_LIKENESS = 0.2


def _likeness(a: np.ndarray, b: np.ndarray, matrix: Float64[np.ndarray, "2 3"]) -> float:
    """Correlation (-1 to 1) once `a` lies on `b`, its edge repeated where it does not reach."""
    laid = cv2.warpAffine(a, matrix, (b.shape[1], b.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    said: np.ndarray = cv2.matchTemplate(laid, b, cv2.TM_CCOEFF_NORMED)
    return float(said[0, 0])


LITTLE_PX = 40


def _little(seen: View) -> tuple[np.ndarray, float]:
    height, width = seen.small.shape[:2]
    scale = LITTLE_PX / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    grey = cv2.cvtColor(seen.small, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA), scale


def _rescaled(matrix: Float64[np.ndarray, "2 3"], a: float, b: float) -> Float64[np.ndarray, "2 3"]:
    scaled = matrix.copy()
    scaled[:, :2] *= b / a
    scaled[:, 2] *= b
    return scaled
