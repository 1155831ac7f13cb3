"""All that is measured of a pair of pictures, as one row of numbers."""

from dataclasses import fields

import numpy as np
from jaxtyping import Float32, Float64

from okulo.curate.duplicates.align import align, best_flip, best_tilt, flip_matrix, refine
from okulo.curate.duplicates.appearance import NOTHING, Appearance, compare
from okulo.curate.duplicates.geometry import NOWHERE, Geometry, geometry
from okulo.curate.duplicates.sketch import Sketch, View

_LOOKS = tuple(each.name for each in fields(Appearance))
_MOVES = tuple(each.name for each in fields(Geometry))
WAYS = ("flip", "focus", "features", "refined")
"""How the pictures are laid on each other: all of both flipped or turned, the same for what is left without
margins, by local features, and by sliding."""
NAMES = (
    "flip thumbnail",
    "focus thumbnail",
    *(f"{way} {name}" for way in WAYS for name in _LOOKS),
    *(f"{way} {name}" for way in WAYS[1:] for name in _MOVES),
    "features inliers",
    "fewest features",
    "least cut",
    "most cut",
    "cosine",
)


def measure(a: Sketch, b: Sketch, cosine: float, mirrored: bool) -> Float32[np.ndarray, " e"]:
    """Measure a pair; `cosine` is of their whitened embeddings (NaN: not known).

    >>> from okulo.curate.duplicates.sketch import sketch
    >>> seen = sketch(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    >>> dict(zip(NAMES, measure(seen, seen, 1.0, mirrored=False).round(2).tolist()))["flip correlation"]
    1.0
    """
    way, thumb = best_flip(a.whole, b.whole, mirrored)
    flat = _flat(a.whole, b.whole, way)
    way, focus_thumb = best_flip(a.focus, b.focus, mirrored)
    focused = _flat(a.focus, b.focus, way)
    by_features = align(a, b, mirrored)
    refined = refine(a.focus, b.focus, best_tilt(a.focus, b.focus, way, focused, focus_thumb))
    laid = (focused, by_features[0] if by_features else None, refined)
    one, two = a.focus.small, b.focus.small
    looks = [compare(one, two, way) if way is not None else NOTHING for way in laid]
    moves = [geometry(a, b, way) if way is not None else NOWHERE for way in laid]
    uncut = a.cut == b.cut == 0
    whole = looks[0] if uncut else compare(a.whole.small, b.whole.small, flat)
    return np.array(
        [
            thumb,
            focus_thumb,
            *(getattr(each, name) for each in (whole, *looks) for name in _LOOKS),
            *(getattr(each, name) for each in moves for name in _MOVES),
            by_features[1] if by_features else 0,
            min(len(a.at), len(b.at)),
            min(a.cut, b.cut),
            max(a.cut, b.cut),
            cosine,
        ],
        np.float32,
    )


def _flat(a: View, b: View, way: int) -> Float64[np.ndarray, "2 3"]:
    one, two = ((each.small.shape[0], each.small.shape[1]) for each in (a, b))
    return flip_matrix(way, one, two)
