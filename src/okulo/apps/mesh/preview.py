"""Pictures of meshes without a display: before, after, and where it changed, side by side."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Float64

from okulo.algo.mesh.measure import angles_deg
from okulo.algo.mesh.topology import face_shapes
from okulo.apps.mesh.render_kernels import draw
from okulo.core.nouns import Mesh
from okulo.io.files import write_aside

PLAIN = (0.72, 0.76, 0.82)
HEAT = "magma_r"
SIZE_PX = 560
FINE = 2
"""Pictures are drawn this much larger and averaged: smooth outlines."""


def view(vertices: Float64[np.ndarray, "v 3"]) -> Float64[np.ndarray, "3 3"]:
    """Choose a view: the longest axis lies across, turned a little so that three sides show."""
    _, axes = np.linalg.eigh(np.cov((vertices - vertices.mean(axis=0)).T))
    axes = axes[:, ::-1]
    axes[:, 2] *= np.sign(np.linalg.det(axes)) or 1.0
    turn, tilt = np.radians(-30), np.radians(25)
    around = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    over = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    return np.asarray(over @ around @ axes.T)


def render(
    mesh: Mesh,
    turn: Float64[np.ndarray, "3 3"],
    colours: Float[np.ndarray, "f 3"] | None = None,
    frame: Mesh | None = None,
    size_px: int = SIZE_PX,
) -> Float32[np.ndarray, "size size 3"]:
    """Draw a mesh by parallel projection on white, values 0 to 1.

    Args:
        mesh: what is drawn.
        turn: rotation into the view: x right, y up, z towards the viewer.
        colours: one a face, 0 to 1; none: all alike.
        frame: the mesh whose extent fills the picture; none: the one that is drawn.
        size_px: width and height.
    """
    around = (frame or mesh).vertices @ turn.T
    low, high = around.min(axis=0), around.max(axis=0)
    fine = size_px * FINE
    scale = 0.94 * fine / max(float((high - low)[:2].max()), 1e-300)
    points = (mesh.vertices @ turn.T - (low + high) / 2) * scale
    points[:, 1] *= -1
    points[:, :2] += fine / 2
    shown = np.tile(PLAIN, (len(mesh.faces), 1)) if colours is None else colours
    light = np.array([-0.35, -0.5, 0.79])
    picture: np.ndarray = draw(points, mesh.faces, shown.astype(np.float32), light, fine)
    return np.asarray(picture.reshape(size_px, FINE, size_px, FINE, 3).mean(axis=(1, 3)), np.float32)


def heat(values: Float64[np.ndarray, " f"], most: float) -> Float64[np.ndarray, "f 3"]:
    """Colour values from light (0) to dark (`most` and above)."""
    import matplotlib as mpl

    shown: Float64[np.ndarray, "f 4"] = mpl.colormaps[HEAT](np.clip(values / max(most, 1e-12), 0, 1))
    return shown[:, :3]


def change_deg(before: Mesh, after: Mesh) -> Float64[np.ndarray, " f"]:
    """How far each face's normal turned, in degrees; 0 for faces without area."""
    first, second = (face_shapes(each.vertices, each.faces).normals for each in (before, after))
    known = first.any(axis=1) & second.any(axis=1)
    return np.where(known, angles_deg(first, second), 0.0)


def write_preview(path: Path, before: Mesh, after: Mesh, values_deg: np.ndarray, meaning: str) -> None:
    """Write a PNG of three pictures: before, after, and `values_deg` of the faces as a heat map.

    The heat map's scale ends at the 98th percentile, at least 5 degrees.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    most = max(5.0, float(np.percentile(values_deg, 98))) if len(values_deg) else 5.0
    turn = view(after.vertices)
    pictures = [
        render(before, turn, frame=after),
        render(after, turn, frame=after),
        render(after, turn, heat(values_deg, most), frame=after),
    ]
    figure = Figure(figsize=(3 * SIZE_PX / 100 + 0.9, SIZE_PX / 100 + 0.4), dpi=100)
    FigureCanvasAgg(figure)
    for place, (picture, title) in enumerate(zip(pictures, ("before", "after", meaning))):
        axes = figure.add_axes((place * 0.316, 0.0, 0.312, 0.93))
        axes.imshow(np.clip(picture, 0, 1), interpolation="none")
        axes.set_title(title, fontsize=12)
        axes.axis("off")
    bar = figure.add_axes((0.957, 0.12, 0.011, 0.7))
    figure.colorbar(ScalarMappable(Normalize(0, most), HEAT), cax=bar, label="degrees")
    with write_aside(path) as aside:
        figure.savefig(aside, format="png")
