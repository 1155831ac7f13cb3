"""Triangle meshes from files and into files (PLY, OBJ, OFF, STL, glTF), by trimesh."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from okulo.core.errors import BadInput, need
from okulo.core.nouns import Mesh
from okulo.io.files import write_aside

SUFFIXES = (".ply", ".obj", ".off", ".stl", ".glb", ".gltf")
WRITTEN = (".ply", ".obj", ".off", ".stl", ".glb")
"""A .gltf is several files; its one-file form .glb is written instead."""

MAX_BYTES = 4 * 2**30


def read_mesh(path: Path) -> Mesh:
    """Read a mesh, vertices and faces in the file's order; polygons are cut into triangles.

    Several objects in one file become one mesh, placed as the file says. What cannot be used (no file,
    another format, half a file, a point cloud, NaN) is BadInput that names the file.
    """
    path = Path(path)
    trimesh = need("trimesh", extra="mesh", verb="reading a mesh")
    _check_suffix(path, SUFFIXES)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(str(path), wanted="a file of at most 4 GiB", got=f"{path.stat().st_size:,} bytes")
        with path.open("rb"):
            pass
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    try:
        loaded = trimesh.load_scene(str(path), process=False).to_geometry()
    except Exception as error:  # trimesh raises whatever its parsers stumble on
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise BadInput(
            str(path), f"is no {path.suffix[1:].upper()} mesh, or only part of one ({reason})"
        ) from error
    return _checked(path, loaded)


def _checked(path: Path, loaded: object) -> Mesh:
    vertices = np.array(getattr(loaded, "vertices", ()), np.float64).reshape(-1, 3)
    faces = np.asarray(getattr(loaded, "faces", ())).reshape(-1, 3)
    if not len(faces):
        if len(vertices):
            hint = "make a surface of it first"
            raise BadInput(str(path), f"holds {len(vertices):,} points but no faces", hint=hint)
        raise BadInput(str(path), "holds no mesh: neither points nor faces")
    bad = ~np.isfinite(vertices).all(axis=1)
    if bad.any():
        raise BadInput(
            str(path), f"{int(bad.sum()):,} vertices are not finite, the first is {int(bad.argmax())}"
        )
    if not 0 <= int(faces.min()) <= int(faces.max()) < len(vertices):
        raise BadInput(
            str(path), wanted=f"faces of {len(vertices):,} vertices", got=f"{faces.min()} to {faces.max()}"
        )
    return Mesh(vertices, np.ascontiguousarray(faces, np.int32))


def write_mesh(path: Path, mesh: Mesh) -> None:
    """Write a mesh in the format the name's ending says, whole or not at all; PLY and STL are binary."""
    trimesh = need("trimesh", extra="mesh", verb="writing a mesh")
    check_written(path)
    made = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False, validate=False)
    with write_aside(path) as aside:
        made.export(str(aside), **({"digits": 9} if path.suffix.lower() in (".obj", ".off") else {}))


def check_written(path: Path) -> None:
    """Raise BadInput if no mesh can be written under this name."""
    _check_suffix(Path(path), WRITTEN)


def _check_suffix(path: Path, known: tuple[str, ...]) -> None:
    if path.suffix.lower() not in known:
        raise BadInput(str(path), wanted=f"a name that ends in {', '.join(known)}", got=path.suffix or "none")


def join_same_points(mesh: Mesh) -> tuple[Mesh, Int64[np.ndarray, " v"]]:
    """Make vertices at exactly the same place one; says which new vertex each old one became.

    STL files repeat every corner and others repeat those along seams; a filter would tear the surface there.

    >>> twice = Mesh(np.zeros((3, 3)) + [[0], [1], [0]], np.int32([[0, 1, 2]]))
    >>> joined, which = join_same_points(twice)
    >>> len(joined.vertices), which.tolist()
    (2, [0, 1, 0])
    """
    rows = np.ascontiguousarray(mesh.vertices + 0.0)  # -0.0 and 0.0 are one place
    keys = rows.view(np.dtype((np.void, 24))).reshape(-1)
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) == len(rows):
        return mesh, np.arange(len(rows))
    order = np.argsort(first)  # keep the file's order
    place = np.empty(len(first), np.int64)
    place[order] = np.arange(len(first))
    which = place[which.reshape(-1)]
    return Mesh(rows[first[order]], which[mesh.faces].astype(np.int32)), which
