"""What can be asked of `okulo mesh denoise` and `simulate`, and what they say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from okulo.algo.mesh.estimate import Taken
from okulo.algo.mesh.measure import MeshErrors
from okulo.algo.mesh.methods import METHODS
from okulo.algo.mesh.noise import NOISE
from okulo.algo.mesh.topology import Defects
from okulo.core.params import Params, param


@dataclass(frozen=True, kw_only=True)
class DenoiseParams(Params):
    """Take the noise out of a triangle mesh and keep its edges; the faces stay as they are."""

    mesh: Path = param(help="noisy mesh: PLY, OBJ, OFF, STL or glTF", positional=True)
    output: Path = param(help="the clean mesh: .ply, .obj, .off, .stl or .glb", short="o")
    method: str = param(
        "auto",
        help="how; auto tries the model and some filters and takes what is likely nearest to the truth",
        choices=("auto", "learned", *METHODS),
    )
    model: Path | None = param(
        None, help="model file made by `okulo mesh train`, for auto and learned; default: okulo's own"
    )
    sigma: float | None = param(
        None, help="how unlike normals (0 to 2) or heights (mean edge lengths) may be", low=1e-3, high=10
    )
    iterations: int | None = param(None, help="how often the filter is applied", low=0, high=10_000)
    strength: float | None = param(None, help="how much; its meaning is the method's", low=0, high=1e6)
    reach: float | None = param(None, help="spatial sigma, in mean distances of neighbours", low=0.1, high=10)
    follow: int | None = param(
        None, help="steps of the vertices that follow filtered normals", low=0, high=10_000
    )
    passes: int | None = param(
        None,
        help="how often normals are filtered and followed, each time from what was made",
        low=1,
        high=100,
    )
    restore: int | None = param(
        None, help="average what was taken away so often and give it back; 0: do not", low=0, high=10_000
    )
    keep_volume: bool = param(False, help="scale each closed component back to the volume it had")
    preview: Path | None = param(None, help="PNG: before, after, and a heat map of what changed")
    page: Path | None = param(None, help="HTML page to turn the mesh in a browser, before and after")
    truth: Path | None = param(None, help="the true mesh with the same faces, to measure errors against")
    seed: int = param(0, help="seed of the part of a large mesh that auto looks at", low=0)


@dataclass(frozen=True, kw_only=True)
class DenoiseReport:
    """What was found, done and written."""

    output: Path
    vertices: int
    faces: int
    method: str
    numbers: dict[str, Any]
    kind: str
    """What the surface looks like once it is clean: machine part, organic."""
    sharpness: float
    """Share of all bending (sum of the angles between neighbouring faces) that sharp edges hold."""
    tried: tuple[tuple[str, float], ...]
    """What `auto` tried, the chosen first, then the likely best: names, expected errors of normals (°)."""
    edge_length: float
    """Mean length of the input's edges, in the file's unit: what noise and distances are fractions of."""
    noise_before: float
    noise_after: float
    taken: Taken
    """What was taken off along the normals."""
    noise_kind: str
    """What that looks like: even (every vertex is off by itself), sparse, shared (with neighbours), none."""
    turned_deg: float
    """Mean angle between a face's normal before and after."""
    moved: float
    """Mean way of the vertices."""
    moved_most: float
    volume_change: float | None
    """Volume after against before; None: the mesh is open."""
    volume_kept: bool
    """Whether closed components were scaled back to the volume they had."""
    defects: Defects
    folded_faces: int
    """Faces that look backwards afterwards: against the mean normal of those around them."""
    before: MeshErrors | None
    """Errors against the truth, where one was given."""
    after: MeshErrors | None
    seconds: dict[str, float]
    preview: Path | None
    page: Path | None


@dataclass(frozen=True, kw_only=True)
class SimulateParams(Params):
    """Spoil a clean mesh with noise, or make a clean one to spoil: pairs whose truth is known."""

    mesh: str = param(
        help="clean mesh file, or a shape to make: plate, star, ring, wedge, blob, scan", positional=True
    )
    output: Path = param(help="the noisy mesh: .ply, .obj, .off, .stl or .glb", short="o")
    noise: str = param("along-normal", help="kind of noise", choices=tuple(NOISE))
    level: float = param(0.2, help="size of the noise, of the mean edge length", low=0, high=5)
    clean: Path | None = param(None, help="write the clean mesh too")
    faces: int = param(20_000, help="about how many faces a made shape has", low=100, high=5_000_000)
    seed: int = param(0, help="the same seed gives the same noise", low=0)


@dataclass(frozen=True, kw_only=True)
class SimulateReport:
    """What was made."""

    output: Path
    clean: Path | None
    vertices: int
    faces: int
    noise: str
    level: float
    edge_length: float
    normals_deg: float
    """Mean angle between the normals of a face and of its truth."""
    estimated: float
    """The noise level `okulo mesh denoise` would see."""
