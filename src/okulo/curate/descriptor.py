"""Describe a picture without a network: perceptual hashes, and a vector of coarse form, edges and colour.

For the first look at a data set and where no network is at hand. It finds copies that keep their place in the
frame (re-compressed, resized, exposed, blurred, captioned) well, turned and cropped ones less surely.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

LENGTH = 336
"""Values in a descriptor."""
SIDE_PX = 64
LOW = 12
CELLS = 4
ANGLES = 8
COLOURS = 4


def describe(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "336"]:
    """Describe a picture by three parts, each of length 1: form, edges, colour.

    Form: the 144 lowest frequencies of a cosine transform of 64 × 64 grey levels (what pHash takes the signs
    of). Edges: 4 × 4 cells of 8 gradient directions (Dalal & Triggs 2005, one block). Colour: a 4 × 4 × 4
    histogram of Lab, square-rooted; it does not change with flips and turns, and little with a crop.

    >>> vector = describe(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))
    >>> vector.shape, round(float(vector @ vector), 3)
    ((336,), 3.0)
    """
    little = _square(image, SIDE_PX)
    grey = cv2.cvtColor(little, cv2.COLOR_RGB2GRAY).astype(np.float32)
    parts = (_form(grey), _edges(grey), _colour(little))
    return np.concatenate([_unit(part) for part in parts])


def phash(image: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "64"]:
    """Perceptual hash: the 8 × 8 lowest frequencies against their median (Zauner 2010, section 3.2.1).

    >>> picture = np.random.default_rng(0).integers(0, 200, (64, 64, 3), dtype=np.uint8)
    >>> int((phash(picture) != phash(picture + 20)).sum())
    0
    """
    grey = cv2.cvtColor(_square(image, 32), cv2.COLOR_RGB2GRAY).astype(np.float32)
    low = np.asarray(cv2.dct(grey))[:8, :8].ravel()
    bits: np.ndarray = low > np.median(low[1:])
    return bits


def dhash(image: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "64"]:
    """Difference hash: does the grey level rise from each of 8 × 8 cells to its right neighbour?

    >>> slope = np.repeat(np.arange(0, 90, 10, dtype=np.uint8)[None, :, None], 8, axis=0).repeat(3, axis=2)
    >>> int(dhash(slope).sum())
    64
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    return (np.diff(cells, axis=1) > 0).ravel()


def _square(image: UInt8[np.ndarray, "h w 3"], side_px: int) -> UInt8[np.ndarray, "s s 3"]:
    return cv2.resize(np.ascontiguousarray(image), (side_px, side_px), interpolation=cv2.INTER_AREA)


def _form(grey: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, " f"]:
    low: np.ndarray = cv2.dct(grey)[:LOW, :LOW]
    low[0, 0] = 0  # the mean says how bright it is, not what it shows
    rise = np.arange(LOW, dtype=np.float32)
    weighted: np.ndarray = low * np.sqrt(1 + rise[:, None] + rise)  # fine forms are fainter, not less telling
    return weighted.ravel()


def _edges(grey: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, " e"]:
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(across, down)
    which = np.minimum((angle * (ANGLES / (2 * np.pi))).astype(np.int64), ANGLES - 1)
    step = grey.shape[0] // CELLS
    cell = np.arange(grey.shape[0]) // step
    where = (cell[:, None] * CELLS + cell) * ANGLES + which
    found = np.bincount(where.ravel(), strength.ravel(), CELLS * CELLS * ANGLES)
    return np.sqrt(found).astype(np.float32)


def _colour(little: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, " c"]:
    lab = cv2.cvtColor(little, cv2.COLOR_RGB2LAB).reshape(-1, 3) // (256 // COLOURS)
    where = lab.astype(np.int64) @ np.array([COLOURS**2, COLOURS, 1])
    return np.sqrt(np.bincount(where, minlength=COLOURS**3)).astype(np.float32)


def _unit(part: Float32[np.ndarray, " p"]) -> Float32[np.ndarray, " p"]:
    return part / max(1e-6, float(np.linalg.norm(part)))
