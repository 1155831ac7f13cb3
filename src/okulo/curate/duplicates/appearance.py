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
STEP = 3
"""The exposure is judged on every third pixel of every third line."""
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


NOTHING = Appearance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, -1.0, 0.0)


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
    return _judge(sums, band, overlap, plain_share(laid, seen, inside, *rows, gain, offset))


def _exposed_alike(
    a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h w 3"], inside: UInt8[np.ndarray, "h w"]
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"], float, float]:
    """Which of the two is to be brightened, the other one, and by what gain and offset.

    Always the darker one: then it clips where the brighter one did. Of a line through what neither clips and
    a gain alone (all there is to go by where most is clipped) the one that leaves less difference.
    """
    gain, offset = fit_exposure(a, b, inside)
    if gain < 1:
        a, b, gain, offset = b, a, 1 / gain, -offset / gain
    left = mean_gap(a, b, inside, STEP, gain, offset)
    level_a, level_b = (each[::STEP, ::STEP].mean() for each in (a, b))
    dark, bright = (a, b) if level_a <= level_b else (b, a)
    alone, left_alone = fit_gain(dark, bright, inside, STEP)
    return (dark, bright, alone, 0.0) if left_alone < left else (a, b, gain, offset)


def _judge(sums: Float64[np.ndarray, "i j 7"], band: int, overlap: float, plain: float) -> Appearance:
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
    )


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else 1.0


def _correlation(whole: Float64[np.ndarray, "7"]) -> float:
    n, a, b, a2, b2, ab, _ = whole / max(1.0, whole[0])
    return float((ab - a * b) / np.sqrt(max((a2 - a * a) * (b2 - b * b), 1.0))) if n else 0.0
