"""All that is measured of a pair of pictures, as one row of numbers."""

from dataclasses import fields

import numpy as np
from jaxtyping import Complex64, Float32, Float64

from okulo.curate.duplicates.align import align, best_flip, best_tilt, flip_matrix, refine
from okulo.curate.duplicates.appearance import NOTHING, Appearance, compare
from okulo.curate.duplicates.edges import map_matrix
from okulo.curate.duplicates.geometry import NOWHERE, Geometry, focus_matrix, geometry
from okulo.curate.duplicates.sketch import Sketch, View
from okulo.curate.duplicates.slide import best_slide, ways_laid

_LOOKS = tuple(each.name for each in fields(Appearance))
_MOVES = tuple(each.name for each in fields(Geometry))
WAYS = ("flip", "focus", "features", "refined")
"""How the pictures are laid on each other: all of both flipped or turned, the same for what is left without
margins, by local features, and by refining where edges slid everywhere, or the second way, lie best."""
HOPEFUL = 0.5
"""Edges that agree less than this are not worth refining."""
NAMES = (
    "flip thumbnail",
    "focus thumbnail",
    *(f"{way} {name}" for way in WAYS for name in _LOOKS),
    *(f"{way} {name}" for way in WAYS[1:] for name in _MOVES),
    "edges likeness",
    "features inliers",
    "fewest features",
    "least cut",
    "most cut",
    "cosine",
)


def measure(
    a: Sketch,
    b: Sketch,
    cosine: float,
    mirrored: bool,
    laid_edges: Complex64[np.ndarray, "k m f"] | None = None,
) -> Float32[np.ndarray, " e"]:
    """Measure a pair; `cosine` is of their whitened embeddings (NaN: not known).

    Who compares `a` with many others makes its `ways_laid` once, and gives them here.

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
    if laid_edges is None:
        laid_edges = ways_laid(a.edges, mirrored)
    on_map, likeness = best_slide(laid_edges, b.edges, mirrored)
    starts = [
        best_tilt(a.focus, b.focus, way, focused, focus_thumb),
        focus_matrix(a, b, _of_pictures(a, b, on_map)),
    ]
    refined = refine(a.focus, b.focus, starts, likeness >= HOPEFUL)
    laid = (focused, by_features[0] if by_features else None, refined)
    one, two = a.focus.small, b.focus.small
    moves = [geometry(a, b, way) if way is not None else NOWHERE for way in laid]
    looks = [
        compare(one, two, way) if way is not None and move.plausible else NOTHING
        for way, move in zip(laid, moves)
    ]
    uncut = a.cut == b.cut == 0
    whole = looks[0] if uncut else compare(a.whole.small, b.whole.small, flat)
    return np.array(
        [
            thumb,
            focus_thumb,
            *(getattr(each, name) for each in (whole, *looks) for name in _LOOKS),
            *(getattr(each, name) for each in moves for name in _MOVES),
            likeness,
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


def _of_pictures(a: Sketch, b: Sketch, on_map: Float64[np.ndarray, "2 3"]) -> Float64[np.ndarray, "2 3"]:
    """Turn a way to lay map on map into one to lay picture on picture."""
    whole: np.ndarray = (
        np.linalg.inv(map_matrix(*b.size)) @ np.vstack([on_map, [0, 0, 1]]) @ map_matrix(*a.size)
    )
    return whole[:2]
