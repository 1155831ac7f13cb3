"""All that is measured of a pair of pictures, as one row of numbers."""

from dataclasses import fields

import numpy as np
from jaxtyping import Float32

from okulo.curate.duplicates.align import align, best_flip, flip_matrix, refine
from okulo.curate.duplicates.appearance import NOTHING, Appearance, compare
from okulo.curate.duplicates.sketch import Sketch

_LOOKS = tuple(each.name for each in fields(Appearance))
NAMES = (
    "thumbnail",
    *(f"flip {name}" for name in _LOOKS),
    "inliers",
    *(f"features {name}" for name in _LOOKS),
    *(f"refined {name}" for name in _LOOKS),
    "fewest features",
    "cosine",
)
"""What each number is: the pictures are laid on each other in three ways, and compared each time."""


def measure(a: Sketch, b: Sketch, cosine: float, mirrored: bool) -> Float32[np.ndarray, " e"]:
    """Measure a pair; `cosine` is of their whitened embeddings (NaN: not known).

    >>> from okulo.curate.duplicates.sketch import sketch
    >>> seen = sketch(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    >>> dict(zip(NAMES, measure(seen, seen, 1.0, mirrored=False).round(2).tolist()))["flip correlation"]
    1.0
    """
    way, thumbnail = best_flip(a, b, mirrored)
    flat = flip_matrix(way, (a.small.shape[0], a.small.shape[1]), (b.small.shape[0], b.small.shape[1]))
    by_features = align(a, b, mirrored)
    refined = refine(a, b, flat)
    return np.array(
        [
            thumbnail,
            *_numbers(compare(a.small, b.small, flat)),
            by_features[1] if by_features else 0,
            *_numbers(compare(a.small, b.small, by_features[0]) if by_features else NOTHING),
            *_numbers(compare(a.small, b.small, refined) if refined is not None else NOTHING),
            min(len(a.at), len(b.at)),
            cosine,
        ],
        np.float32,
    )


def _numbers(seen: Appearance) -> list[float]:
    return [getattr(seen, name) for name in _LOOKS]
