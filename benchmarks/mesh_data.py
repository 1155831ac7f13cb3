"""The meshes of the mesh benchmark: CGAL's (Debian libcgal-demo), and made ones no training uses.

python benchmarks/mesh_data.py FOLDER      copy the meshes okulo's own model learned from into a folder
"""

import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from okulo.algo.mesh.shapes import blob, circle, outline, part, prism
from okulo.core.nouns import Mesh
from okulo.io.meshes import join_same_points, read_mesh
from okulo.train.mesh.shapes import piece

ARCHIVE = Path("/usr/share/doc/libcgal-dev/data.tar.gz")
REAL = {
    "fandisk": "fandisk.off",
    "anchor": "anchor_dense.off",
    "bunny": "bunny00.off",
    "armadillo": "armadillo.off",
    "bear": "bear.off",
    "elephant": "refined_elephant.off",
}
TRAINED_ON = (
    *("camel", "dino", "lion-head", "bull", "cow", "man", "diplodocus", "mannequin-devil", "femur", "knot1"),
    *("knot2", "triceratops", "bones", "head", "retinal", "ChineseDragon-10kv", "mushroom", "b9_mesh"),
    *("holes", "mech-holes-shark", "turbine", "blade", "pinion", "rotor", "spool", "handle"),
)
"""What okulo's own model learned from, beside made shapes: none of the meshes it is judged on."""

CHOSEN_BY = ("homer", "lion", "elk", "hand", "cheese", "couplingdown")
"""What the filters it sees, and how it is trained, were chosen by, beside made shapes of other seeds."""


def unpack(folder: Path) -> Path:
    """Unpack CGAL's meshes; returns the folder that holds them."""
    meshes = folder / "data" / "meshes"
    if not meshes.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder, filter="data")
    return meshes


def copy_scans(folder: Path, target: Path) -> None:
    """Copy the meshes the model learns from into a folder of their own, for `okulo mesh train --scans`."""
    target.mkdir(parents=True, exist_ok=True)
    for name in TRAINED_ON:
        shutil.copy(unpack(folder) / f"{name}.off", target)


def made(name: str) -> Mesh:
    """Make one of the generated meshes."""
    rng = np.random.default_rng(5)
    if name == "cad":
        corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.6), (0.6, 0.6), (0.4, 0.9), (0.0, 0.9)]
        rings = [outline(corners, 0.0185), circle((0.3, 0.35), 0.15, 0.0185)]
        return prism(rings, 0.5, 0.0185, rng)
    if name == "ring":
        return part(np.random.default_rng(11), 0.025, "ring")
    if name == "rough":
        return blob(np.random.default_rng(10), 5, 0.6)
    return blob(np.random.default_rng(9), 5)


MADE = ("cad", "ring", "blob", "rough")


LARGE = 40_000
PIECE = 30_000


def load(name: str, folder: Path, whole: bool = True) -> Mesh:
    """Read or make a mesh by name; unless `whole`, of one above 40,000 faces a piece of 30,000."""
    if name in MADE:
        return made(name)
    mesh = join_same_points(read_mesh(unpack(folder) / REAL[name]))[0]
    if whole or len(mesh) <= LARGE:
        return mesh
    return piece(mesh, PIECE, np.random.default_rng(2))


if __name__ == "__main__":
    copy_scans(Path(tempfile.gettempdir()) / "cgal", Path(sys.argv[1]))
