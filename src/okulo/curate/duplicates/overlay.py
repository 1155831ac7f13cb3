"""How to lay one picture on another so that what differs can be seen."""

import numpy as np
from jaxtyping import Float64, UInt8

from okulo.curate.duplicates.align import align, best_flip, best_tilt, flip_matrix, refine
from okulo.curate.duplicates.appearance import compare
from okulo.curate.duplicates.geometry import whole_matrix
from okulo.curate.duplicates.sketch import sketch

LEAST = 0.5
"""With less correlation than this the pictures do not lie on each other."""


def overlay(
    a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h2 w2 3"]
) -> Float64[np.ndarray, "2 3"] | None:
    """Find the affine map (pixels) that lays `a` on `b` best; None where they are not alike in any way.

    >>> image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    >>> overlay(image, np.ascontiguousarray(image[::-1, ::-1])).round(1)  # half a turn
    array([[-1.,  0., 79.],
           [ 0., -1., 59.]])
    """
    one, two = sketch(a), sketch(b)
    first, second = one.focus, two.focus
    way, likeness = best_flip(first, second, True)
    flat = flip_matrix(way, _shape(first.small), _shape(second.small))
    found = align(one, two, mirrored=True)
    tried = [
        flat,
        found[0] if found else None,
        refine(first, second, [best_tilt(first, second, way, flat, likeness)]),
    ]
    ways = [each for each in tried if each is not None]
    looks = [compare(first.small, second.small, each) for each in ways]
    best = int(np.argmax([each.beside for each in looks]))
    return whole_matrix(one, two, ways[best]) if looks[best].beside >= LEAST else None


def _shape(image: UInt8[np.ndarray, "h w 3"]) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
