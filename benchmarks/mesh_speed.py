"""Time and memory of mesh denoising up to 2 million faces; each method and size in a process of its own.

The mesh is a torus of any number of faces with noise of 0.2 edges: one closed surface, faces in rows as
scanners write them, or with `shuffled` in any order. Time is from the mesh in memory to the clean one: order,
neighbours and filter. Memory is how much the highest use rose above what it was with the mesh loaded.
"""

import argparse
import ctypes
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from okulo.algo.mesh.compiled import ENOUGH
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.order import put_in_order
from okulo.algo.mesh.topology import Topology, topology
from okulo.apps.mesh.auto import choose
from okulo.apps.mesh.learned import denoise_learned, open_model
from okulo.core.nouns import Mesh

RECIPES = {
    "bilateral": Recipe(method="bilateral"),
    "bilateral 6 passes": Recipe(method="bilateral", sigma=0.6, iterations=5, follow=15, passes=6),
    "guided": Recipe(method="guided"),
    "taubin": Recipe(method="taubin"),
    "l0": Recipe(method="l0"),
    "l0-cotangent": Recipe(method="l0-cotangent"),
}
OURS = (*RECIPES, "learned", "auto")
PEERS = (
    *("open3d taubin 10", "open3d laplacian 5", "trimesh taubin 10"),
    *("pymeshlab taubin 10", "pymeshlab two-step 20 60°"),
)
ONCE_FROM = 400_000
"""Faces from which a method is timed once instead of three times (the median counts)."""


def torus(faces: int) -> Mesh:
    """Make a noisy torus of about so many faces."""
    across = max(3, round((faces / 2 / 2.5) ** 0.5))
    along = max(3, round(faces / 2 / across))
    u, v = np.divmod(np.arange(across * along), across)
    turn, lean = u * 2 * np.pi / along, v * 2 * np.pi / across
    radius = 2.5 + np.cos(lean)
    points = np.column_stack([radius * np.cos(turn), radius * np.sin(turn), np.sin(lean)])
    right, up = (u + 1) % along * across, (v + 1) % across
    here, corner = u * across + v, right + up
    made = np.concatenate(
        [np.stack([here, right + v, corner], 1), np.stack([here, corner, u * across + up], 1)]
    )
    order = np.arange(len(made)).reshape(2, -1).T.reshape(-1)
    clean = Mesh(points, made[order].astype(np.int32))
    return add_noise(clean, "along-normal", 0.2, np.random.default_rng(0))


def shuffle(mesh: Mesh) -> Mesh:
    """Put vertices and faces in any order."""
    rng = np.random.default_rng(1)
    places = rng.permutation(len(mesh.vertices)).astype(np.int32)
    vertices = np.empty_like(mesh.vertices)
    vertices[places] = mesh.vertices
    return Mesh(vertices, places[mesh.faces][rng.permutation(len(mesh.faces))])


def run(method: str, mesh: Mesh, near: Topology) -> Mesh:
    """Denoise by a method's name."""
    if method == "learned":
        return denoise_learned(mesh, near, open_model(None))
    if method == "auto":
        return choose(mesh, near, np.random.default_rng(0), open_model(None)).apply(mesh, near)
    return apply(mesh, near, RECIPES[method])


def child(method: str, faces: int, shuffled: bool) -> dict[str, float]:
    """Time one method on one size, in this process."""
    for count in (2_000, 2 * ENOUGH + 1000):  # every kernel in both its forms: all are compiled by then
        warm = put_in_order(torus(count)).mesh
        run(method, warm, topology(warm))
    mesh = shuffle(torus(faces)) if shuffled else torus(faces)
    _forget_peak()
    before = _peak()
    times = []
    for _ in range(3 if faces < ONCE_FROM else 1):
        start = time.perf_counter()
        ordered = put_in_order(mesh)
        near = topology(ordered.mesh)
        middle = time.perf_counter()
        ordered.back(run(method, ordered.mesh, near), mesh)
        times.append((time.perf_counter() - start, middle - start))
    total, neighbours = sorted(times)[len(times) // 2]
    return {
        "faces": len(mesh),
        "seconds": total,
        "neighbours": neighbours,
        "bytes_a_face": (_peak() - before) / len(mesh),
    }


def _forget_peak() -> None:
    """Give back what is free and tell Linux to begin the highest use of memory anew."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def speed(options: argparse.Namespace) -> dict[str, object]:
    """Time ours and the peers."""
    rows: dict[str, object] = {}
    order = " shuffled" if options.shuffled else ""
    for method in OURS if options.methods is None else options.methods:
        for faces in options.counts:
            rows[f"{method} {faces}{order}"] = said = _ask(
                [sys.executable, __file__, method, str(faces), "shuffled" if options.shuffled else "rows"]
            )
            _print(method, said)
    with tempfile.TemporaryDirectory() as folder:
        for faces in options.counts if options.peers else ():
            mesh = torus(faces)
            path = Path(folder) / "pair.npz"
            np.savez(path, vertices=mesh.vertices, faces=mesh.faces, truth=np.zeros((0, 3)))
            for peer in PEERS:
                script = str(Path(__file__).with_name("mesh_peer.py"))
                said = _ask([options.peers, script, "--time", str(path), peer])
                rows[f"{peer} {faces}"] = said = {
                    "faces": len(mesh),
                    "seconds": said["seconds"],
                    "bytes_a_face": said["bytes"] / len(mesh),
                }
                _print(peer, said)
    return rows


def _ask(command: list[str]) -> dict[str, float]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _print(name: str, said: dict[str, float]) -> None:
    print(
        f"{name:26} {said['faces']:>9,} faces  {said['seconds']:8.3f} s  "
        f"{said['seconds'] / said['faces'] * 1e6:7.2f} s a million  {said['bytes_a_face']:6.0f} bytes a face",
        flush=True,
    )


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "shuffled")))
