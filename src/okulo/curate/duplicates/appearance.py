"""How much two pictures look alike once one lies on the other."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from okulo.curate.duplicates.appearance_kernels import (
    block_sums,
    fit_exposure,
    fit_gain,
    mean_gap,
    plain_share,
)

BLOCKS = 12
"""The overlap is also compared block by block, 12 × 12, so that a shared frame round another motif shows."""
BAND = 3
"""Rows of blocks that may differ altogether: a caption's."""
FLAT = 6.0
"""A block whose values vary less than this (standard deviation) in both pictures says nothing."""
CAP = 48.0
"""Grey levels: a difference above this counts as this where the exposure is fitted."""
STEP = 3
"""The exposure is judged on every third pixel of every third line."""
ODD = 32
"""A pixel is odd when no pixel near it in the other picture is within so many grey levels of it."""
NEAR_PX = 5
"""Side of the square in which it is looked for: what was laid a little askew is not odd."""
ODD_ROWS, ODD_BAND = 24, 4
"""Odd pixels are counted on 24 × 12 blocks; four rows of them may hold a caption."""
LEAST_PX = 200
"""Fewer pixels of overlap say nothing."""


@dataclass(frozen=True)
class Appearance:
    """What comparing the overlap found; each value 0 to 1, except the correlations (-1 to 1)."""

    correlation: float
    """Of all colour values in the overlap, after the exposure was fitted."""
    agreement: float
    """Share of the textured blocks that correlate, 1 where there are none."""
    beside: float
    """Correlation without the three rows of blocks that differ most: what a caption leaves untouched."""
    beside_agreement: float
    """Share of the textured blocks that correlate, without those rows."""
    texture: float
    """Share of the blocks that are textured."""
    overlap: float
    """Overlap as a share of the larger picture."""
    worst: float
    """Mean difference in the worst eighth of the blocks, as a share of full scale."""
    beside_worst: float
    """Mean difference in the worst two blocks without those rows, as a share of full scale."""
    weakest: float
    """Second lowest correlation of a textured block without those rows."""
    plain: float
    """Of the pixels in those rows that differ, the share that is of one colour in one of the pictures."""
    odd: float
    """Share of odd pixels outside the four of 24 rows that have most: what only one of the two shows."""
    odd_worst: float
    """The same of the worst two blocks."""


NOTHING = Appearance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, -1.0, 0.0, 1.0, 1.0)


def compare(
    a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h2 w2 3"], matrix: Float64[np.ndarray, "2 3"]
) -> Appearance:
    """Lay `a` on `b` by the affine `matrix`, undo the difference of exposure, and compare.

    One gain and one offset serve all three channels, and what clipping lost is not held against the pair: so
    an over-exposed copy agrees, a recoloured drawing does not.
    """
    height, width = b.shape[:2]
    laid = cv2.warpAffine(a, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones(a.shape[:2], np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
    covered = int(np.count_nonzero(inside))
    sizes = (width * height, a.shape[0] * a.shape[1] * abs(float(np.linalg.det(matrix[:, :2]))))
    if covered < max(LEAST_PX, 0.4 * min(sizes)):
        return NOTHING
    overlap = min(1.0, covered / max(sizes))
    laid, seen = cv2.blur(laid, (3, 3)), cv2.blur(b, (3, 3))
    laid, seen, gain, offset = _exposed_alike(laid, seen, inside)
    sums = block_sums(laid, seen, inside, BLOCKS, gain, offset)
    band = int(np.convolve(sums[:, :, 6].sum(axis=1), np.ones(BAND), "valid").argmax())
    rows = (band * height // BLOCKS, (band + BAND) * height // BLOCKS)
    plain = plain_share(laid, seen, inside, *rows, gain, offset)
    return _judge(sums, band, overlap, plain, _oddity(laid, seen, inside, gain, offset))


def _exposed_alike(
    a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h w 3"], inside: UInt8[np.ndarray, "h w"]
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"], float, float]:
    """Which of the two is to be brightened, the other one, and by what gain and offset.

    Always the darker one: then it clips where the brighter one did. Tried are nothing at all, a gain alone
    (all there is to go by where most is clipped), and a line through what neither clips; taken is what leaves
    least difference, of which no pixel counts more than `CAP`: a caption is no matter of exposure.
    """
    level_a, level_b = (each[::STEP, ::STEP].mean() for each in (a, b))
    if level_a > level_b:
        a, b = b, a
    found = mean_gap(a, b, inside, STEP, 1.0, 0.0, CAP), 1.0, 0.0
    gain, left = fit_gain(a, b, inside, STEP, CAP)
    found = min(found, (left, gain, 0.0))
    for near in (np.inf, CAP):
        gain, offset = fit_exposure(a, b, inside, STEP, *found[1:], near)
        found = min(found, (mean_gap(a, b, inside, STEP, gain, offset, CAP), gain, offset))
    _, gain, offset = found
    return (b, a, 1 / gain, -offset / gain) if gain < 1 else (a, b, gain, offset)


def _oddity(
    a: UInt8[np.ndarray, "h w 3"],
    b: UInt8[np.ndarray, "h w 3"],
    inside: UInt8[np.ndarray, "h w"],
    gain: float,
    offset: float,
) -> tuple[float, float]:
    """Share of odd pixels outside a caption's rows: in all of them, and in the worst two blocks."""
    a = cv2.LUT(a, (np.arange(256) * gain + offset).clip(0, 255).astype(np.uint8))
    around = np.ones((NEAR_PX, NEAR_PX), np.uint8)
    far = np.zeros_like(a)
    for one, other in ((a, b), (b, a)):
        above = cv2.subtract(one, cv2.dilate(other, around))
        far = cv2.max(far, cv2.max(above, cv2.subtract(cv2.erode(other, around), one)))
    red, green, blue = cv2.split(far)
    _, odd = cv2.threshold(cv2.max(cv2.max(red, green), blue), ODD, 255, cv2.THRESH_BINARY)
    odd[cv2.erode(inside, around) == 0] = 0
    share = cv2.resize(odd, (BLOCKS, ODD_ROWS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    band = int(np.convolve(share.sum(axis=1), np.ones(ODD_BAND), "valid").argmax())
    beside = np.delete(share, np.s_[band : band + ODD_BAND], axis=0).ravel()
    beside.sort()
    return float(beside.mean()), float(beside[-2:].mean())


def _judge(
    sums: Float64[np.ndarray, "i j 7"], band: int, overlap: float, plain: float, odd: tuple[float, float]
) -> Appearance:
    n, total_a, total_b, a2, b2, ab, gap = np.moveaxis(sums, -1, 0)
    filled = n >= 0.5 * n.max()
    n = np.maximum(n, 1)
    var_a, var_b = a2 / n - (total_a / n) ** 2, b2 / n - (total_b / n) ** 2
    spread = np.maximum(var_a, var_b)
    textured = filled & (spread > FLAT**2)
    likeness = (ab / n - total_a * total_b / n**2) / np.maximum(spread, 1)
    alike = textured & (likeness > 0.6)
    gaps = np.where(filled, gap / n / 255, 0)
    worst = np.sort(gaps[filled])[-max(1, int(filled.sum()) // 8) :]
    beside = np.ones(BLOCKS, bool)
    beside[band : band + BAND] = False
    left = np.sort(likeness[beside][textured[beside]])
    return Appearance(
        _correlation(sums.sum(axis=(0, 1))),
        _share(alike, textured),
        _correlation(sums[beside].sum(axis=(0, 1))),
        _share(alike[beside], textured[beside]),
        float(textured.sum() / max(1, filled.sum())),
        overlap,
        float(worst.mean()),
        float(np.sort(gaps[beside].ravel())[-2:].mean()),
        float(left[1]) if len(left) > 1 else 1.0,
        plain,
        *odd,
    )


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else 1.0


def _correlation(whole: Float64[np.ndarray, "7"]) -> float:
    n, a, b, a2, b2, ab, _ = whole / max(1.0, whole[0])
    return float((ab - a * b) / np.sqrt(max((a2 - a * a) * (b2 - b * b), 1.0))) if n else 0.0
