"""Where one picture would lie on another, sought everywhere at once: edges, correlated by FFT."""

from functools import cache

import cv2
import numpy as np
import scipy.fft
from jaxtyping import Complex64, Float32, Float64

from okulo.curate.duplicates.align import flip_matrix, flips
from okulo.curate.duplicates.edges import MAP_PX

TILTS_DEG = (0.0, -13.0, -8.0, -3.0, 3.0, 8.0, 13.0)
ZOOMS = (0.86, 1.16)
TRIED = (*((tilt, 1.0) for tilt in TILTS_DEG), *((0.0, zoom) for zoom in ZOOMS))


def ways_laid(edges: Float32[np.ndarray, "m m"], mirrored: bool) -> Complex64[np.ndarray, "k m f"]:
    """Turn, zoom and flip a map in all ways that are tried; their Fourier transforms."""
    tried = np.stack([cv2.warpAffine(edges, matrix, (MAP_PX, MAP_PX)) for matrix in _tried()])
    tried = tried / np.maximum(1e-6, np.linalg.norm(tried, axis=(1, 2), keepdims=True))
    both = (tried, tried[:, :, ::-1]) if mirrored else (tried,)
    every = np.concatenate([np.rot90(each, turn, axes=(1, 2)) for each in both for turn in range(4)])
    return np.asarray(scipy.fft.rfft2(every), np.complex64)


def best_slide(
    a: Complex64[np.ndarray, "k m f"], b: Float32[np.ndarray, "m m"], mirrored: bool
) -> tuple[Float64[np.ndarray, "2 3"], float]:
    """Find the way and the shift that lay map `a` on `b` best, as an affine matrix, and how well (0 to 1).

    >>> from okulo.curate.duplicates.edges import edge_map
    >>> drawn = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    >>> turned = edge_map(np.rot90(drawn).copy())
    >>> matrix, likeness = best_slide(ways_laid(edge_map(drawn), False), turned, False)
    >>> (matrix @ [4, 4, 1]).round(6).tolist(), round(likeness, 3)  # upper left comes to lower left
    ([4.0, 27.0], 1.0)
    """
    likeness = scipy.fft.irfft2(scipy.fft.rfft2(b) * a.conj(), s=(MAP_PX, MAP_PX))
    best = int(likeness.argmax())
    way, place = divmod(best, MAP_PX * MAP_PX)
    down, across = ((each + MAP_PX // 2) % MAP_PX - MAP_PX // 2 for each in divmod(place, MAP_PX))
    flip, tried = divmod(way, len(TRIED))
    flipped = flip_matrix(flips(mirrored)[flip], (MAP_PX, MAP_PX), (MAP_PX, MAP_PX))
    matrix = flipped @ np.vstack([_tried()[tried], [0, 0, 1]])
    return matrix + np.array([[0, 0, across], [0, 0, down]]), float(likeness.flat[best])


@cache
def _tried() -> tuple[Float64[np.ndarray, "2 3"], ...]:
    middle = (MAP_PX - 1) / 2
    return tuple(cv2.getRotationMatrix2D((middle, middle), tilt, zoom) for tilt, zoom in TRIED)
