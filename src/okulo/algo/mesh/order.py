"""Lay a mesh in memory as it lies in space: filters then find neighbours near, whatever the file's order."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from okulo.algo.mesh.order_kernels import curve_keys, radix_order, renumbered, step_in_memory
from okulo.core.nouns import Mesh

CELLS = 1 << 15
"""Cells along the longest side of the box that the curve passes."""

NEAR = 2_000
"""Neighbours whose numbers differ by less than this on average are in a processor's second cache."""


@dataclass(frozen=True)
class Ordered:
    """A mesh whose vertices and faces lie along a curve; given vertex v became `which[v]`."""

    mesh: Mesh
    which: Int64[np.ndarray, " v"]

    def back(self, moved: Mesh, given: Mesh) -> Mesh:
        """Put the vertices of `moved`, which lies as `mesh` does, in the order of the given mesh."""
        return Mesh(moved.vertices[self.which], given.faces)


def curve_order(points: Float64[np.ndarray, "n 3"]) -> Int64[np.ndarray, " n"]:
    """Order points along Morton's curve (1966), the interleaved bits of their cells: near ones stay together.

    >>> curve_order(np.array([[9.0, 9, 9], [0, 0, 0], [9, 9, 8], [0, 1, 0]])).tolist()
    [1, 3, 2, 0]
    """
    if not len(points):
        return np.empty(0, np.int64)
    low, size = points.min(axis=0), float(np.ptp(points, axis=0).max()) or 1.0
    order: Int64[np.ndarray, " n"] = radix_order(curve_keys(points, low, (CELLS - 1) / size), CELLS**3)
    return order


def put_in_order(mesh: Mesh, near: int = NEAR) -> Ordered:
    """Order a mesh's vertices along a curve and its faces by the first of their vertices.

    A mesh that lies well already (as scanners write rows) is left as it is. Whether two faces are neighbours
    does not change, so every filter gives the same answer but for rounding.

    >>> square = Mesh(np.array([[1.0, 1, 0], [0, 0, 0], [1, 0, 0]]), np.int32([[0, 1, 2]]))
    >>> ordered = put_in_order(square, near=0)
    >>> ordered.mesh.vertices.tolist(), ordered.mesh.faces.tolist(), ordered.which.tolist()
    ([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]], [[2, 0, 1]], [2, 0, 1])
    """
    if step_in_memory(mesh.faces) <= near:
        return Ordered(mesh, np.arange(len(mesh.vertices)))
    order = curve_order(mesh.vertices)
    which, faces, first = renumbered(mesh.faces, order)
    return Ordered(Mesh(mesh.vertices[order], faces[radix_order(first, len(order))]), which)
