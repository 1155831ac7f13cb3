"""Pictures that look wrong in themselves: blank, dark, bright, blurred, empty of detail, odd in shape, tiny.

Measured on a grey copy of at most 256 pixels. What most pictures of a set are (white cut-outs, dark scans) is
the set's nature and no finding: a kind that would hold for more than a fifth of the pictures is left out.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from okulo.core.errors import BadInput
from okulo.core.protocols import Progress, silent
from okulo.io.images import read_image
from okulo.io.walk import Row

SIDE = 256
COMMON = 0.2
"""A kind that would hold for a larger share of the pictures is the set's nature."""
MEASURES = ("width", "height", "low", "high", "sharpness", "entropy", "spread")
SMALL_FOR_BLUR = 48
"""Pictures with a shorter side below this many pixels are not judged by their sharpness."""


@dataclass(frozen=True)
class Looks:
    """One row a picture, NaN where it cannot be read: size, 5th and 95th percentile of grey (0 to 255),
    log sharpness, entropy of the grey levels (bits), and the spread of the widest channel.
    """

    values: Float32[np.ndarray, "n 7"]
    problems: tuple[str, ...]
    """Why a picture cannot be read, "" where it can."""

    def of(self, name: str) -> Float32[np.ndarray, " n"]:
        """One measure of every picture."""
        return self.values[:, MEASURES.index(name)]


def measure_look(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "7"]:
    """Measure one picture.

    >>> look = measure_look(np.full((40, 80, 3), 7, np.uint8))
    >>> look[:4].tolist(), float(look[5])
    ([80.0, 40.0, 7.0, 7.0], 0.0)
    """
    h, w = image.shape[:2]
    scale = SIDE / max(h, w)
    if scale < 1:
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    low, high = np.percentile(grey, [5, 95])
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    # Sharpness against contrast: a soft picture of a gaudy scene is soft all the same.
    sharpness = np.log((float(edges.var()) + 1e-3) / (float(grey.var()) + 1.0))
    share = np.bincount(grey.ravel() // 4, minlength=64) / grey.size
    entropy = float((share[share > 0] * np.log2(1 / share[share > 0])).sum())
    spread = float((image.max(axis=(0, 1)).astype(int) - image.min(axis=(0, 1))).max())
    return np.array([w, h, low, high, sharpness, entropy, spread], np.float32)


def measure_looks(files: Sequence[Path], *, threads: int = 2, progress: Progress = silent) -> Looks:
    """Measure every file, in order; memory stays flat."""
    values = np.full((len(files), len(MEASURES)), np.nan, np.float32)
    problems = []
    steps = progress(_measured(files, threads), label="looking at pictures", total=len(files))
    for row, found in enumerate(steps):
        problems.append(found if isinstance(found, str) else "")
        if not isinstance(found, str):
            values[row] = found
    return Looks(values, tuple(problems))


def _measured(files: Sequence[Path], threads: int) -> Iterator[np.ndarray | str]:
    def one(path: Path) -> np.ndarray | str:
        try:
            image = read_image(path)
        except BadInput as error:  # one bad picture must not stop the audit
            return str(error).removeprefix(f"{path}: ")
        values = measure_look(image)
        values[:2] = image.shape[1], image.shape[0]
        return values

    waiting = iter(files)
    with ThreadPoolExecutor(threads) as pool:
        while part := list(islice(waiting, 256)):
            yield from pool.map(one, part)


def find_suspicious(
    paths: Sequence[str], looks: Looks, *, max_aspect: float = 4.0, min_side: int = 8
) -> list[Row]:
    """Name what is wrong with which picture; at most the gravest of its light, and each of the others."""
    rows: list[Row] = [
        (path, "unreadable", 1.0, problem) for path, problem in zip(paths, looks.problems) if problem
    ]
    low, high, entropy = looks.of("low"), looks.of("high"), looks.of("entropy")
    short, long = (
        np.minimum(looks.of("width"), looks.of("height")),
        np.maximum(looks.of("width"), looks.of("height")),
    )
    blank = looks.of("spread") <= 4
    dark, bright = ~blank & (high < 40), ~blank & (low > 232)
    rows += _rows(paths, "blank", blank, 0.9, lambda i: "one colour throughout")
    for kind, holds in (("dark", dark), ("bright", bright)):
        if _mean(holds) <= COMMON:
            rows += _rows(
                paths,
                kind,
                holds,
                0.5,
                lambda i: f"nine tenths lie between {low[i]:.0f} and {high[i]:.0f} of 255",
            )
    sharp = np.where((short >= SMALL_FOR_BLUR) & ~blank & ~dark & ~bright, looks.of("sharpness"), np.nan)
    soft = _far_below(sharp) & (sharp < -4.5)
    rows += _rows(paths, "blurred", soft, 0.5, lambda i: "far softer than the other pictures")
    little = ~blank & ~dark & ~bright & ~soft & _far_below(entropy) & (entropy < 3)
    rows += _rows(paths, "low-information", little, 0.4, lambda i: f"{entropy[i]:.1f} bits a pixel of grey")
    typical = float(np.nanmedian(short)) if np.isfinite(short).any() else 0.0
    tiny = short < max(min_side, typical / 8)
    rows += _rows(
        paths, "tiny", tiny, 0.3, lambda i: f"{looks.of('width')[i]:.0f} × {looks.of('height')[i]:.0f} pixels"
    )
    odd = (long / short > max_aspect) & ~tiny
    if _mean(odd) <= COMMON:
        rows += _rows(
            paths, "odd-shape", odd, 0.3, lambda i: f"{long[i] / short[i]:.1f} times as long as wide"
        )
    return rows


def _rows(paths: Sequence[str], kind: str, holds: np.ndarray, severity: float, why: object) -> list[Row]:
    assert callable(why)
    return [(paths[i], kind, severity, why(i)) for i in np.flatnonzero(holds).tolist()]


def _mean(holds: np.ndarray) -> float:
    return float(holds.mean()) if len(holds) else 0.0


def _far_below(values: np.ndarray, spread: float = 5.0) -> np.ndarray:
    """More than `spread` robust deviations under the median; with fewer than 20 values nothing is."""
    known = values[np.isfinite(values)]
    if len(known) < 20:
        return np.zeros(len(values), bool)
    middle = np.median(known)
    width = max(1.4826 * float(np.median(np.abs(known - middle))), 0.05)
    return np.asarray(values < middle - spread * width)
