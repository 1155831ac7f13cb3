"""Mesh denoising: errors against a known truth, beside Open3D, PyMeshLab and trimesh; speed and memory.

    python benchmarks/mesh.py --peers /tmp/peers_mesh/bin/python      errors (all meshes, three noise levels)
    python benchmarks/mesh.py --part speed                            time and memory up to 2 million faces

Every method runs over a small grid of settings and shows its best one, ours and theirs alike; `auto` and
`learned` get no grid.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from machine import write_results
from mesh_data import MADE, REAL, load
from okulo.algo.mesh.measure import measure
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.topology import face_shapes, topology
from okulo.apps.mesh.auto import choose
from okulo.apps.mesh.learned import denoise_learned, open_model
from okulo.core.nouns import Mesh

LEVELS = (0.1, 0.2, 0.3)


def grid() -> list[Recipe]:
    made = [Recipe(method=m, iterations=n) for m in ("laplacian", "cotangent") for n in (1, 2, 3, 5, 8)]
    made += [Recipe(method="taubin", iterations=n) for n in (3, 10, 30)]
    made += [Recipe(method="bilateral-vertex", sigma=0.6, iterations=n) for n in (2, 5, 10)]
    for sigma in (0.25, 0.35, 0.45, 0.6):
        made += [Recipe(method="bilateral", sigma=sigma, iterations=n) for n in (5, 10, 20, 40)]
    for sigma in (0.25, 0.35, 0.6):
        made += [Recipe(method="guided", sigma=sigma, iterations=n) for n in (5, 20, 50)]
    made += [Recipe(method="bilateral-global", sigma=0.45, strength=s) for s in (3.0, 20.0)]
    return made + [Recipe(method=m, strength=s) for m in ("l0", "l0-cotangent") for s in (0.1, 0.2)]


def row(clean: Mesh, noisy: Mesh, recipes: list[Recipe], model: Path | None) -> dict[str, dict[str, object]]:
    """Best of each method's grid, then auto and learned, with every measure."""
    near = topology(noisy)
    truth = face_shapes(clean.vertices, clean.faces).normals
    found: dict[str, dict[str, object]] = {"noisy": vars(measure(noisy, clean, near))}
    best: dict[str, tuple[float, Recipe, Mesh, float]] = {}
    for recipe in recipes:
        start = time.perf_counter()
        done = apply(noisy, near, recipe)
        seconds = time.perf_counter() - start
        normals = face_shapes(done.vertices, done.faces).normals
        apart = np.linalg.norm(normals - truth, axis=1), np.linalg.norm(normals + truth, axis=1)
        error = float(np.degrees(2 * np.arctan2(*apart)).mean())
        if recipe.method not in best or error < best[recipe.method][0]:
            best[recipe.method] = (error, recipe, done, seconds)
    for name, (_, recipe, done, seconds) in best.items():
        found[name] = {**vars(measure(done, clean, near)), "setting": str(recipe), "seconds": seconds}
    start = time.perf_counter()
    chosen = choose(noisy, near, np.random.default_rng(0), open_model(model))
    done = chosen.apply(noisy, near)
    seconds = time.perf_counter() - start
    found["auto"] = {**vars(measure(done, clean, near)), "setting": chosen.name, "seconds": seconds}
    start = time.perf_counter()
    done = denoise_learned(noisy, near, open_model(model))
    seconds = time.perf_counter() - start
    found["learned"] = {**vars(measure(done, clean, near)), "seconds": seconds}
    return found


def errors(options: argparse.Namespace) -> dict[str, object]:
    """Errors of every method and peer on every mesh."""
    rows: dict[str, dict[str, dict[str, object]]] = {}
    peers = None
    if options.peers:
        script = str(Path(__file__).with_name("mesh_peer.py"))
        peers = subprocess.Popen(
            [options.peers, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    for name in options.meshes or (*MADE, *REAL):
        clean = load(name, options.folder)
        for level in options.levels:
            noisy = add_noise(clean, options.noise, level, np.random.default_rng(3))
            found = row(clean, noisy, grid(), options.model)
            if peers:
                found |= ask_peers(peers, clean, noisy)
            rows[f"{name} {level}"] = found
            show(f"{name} {level} ({len(clean):,} faces)", found)
            write_results(f"mesh-errors{options.name}", {"noise": options.noise, "rows": rows})
    if peers:
        peers.stdin.close()
        peers.wait()
    return rows


def ask_peers(peers: subprocess.Popen[str], clean: Mesh, noisy: Mesh) -> dict[str, dict[str, object]]:
    with tempfile.NamedTemporaryFile(suffix=".npz") as held:
        truth = face_shapes(clean.vertices, clean.faces).normals
        np.savez(held, vertices=noisy.vertices, faces=noisy.faces, truth=truth)
        held.flush()
        peers.stdin.write(held.name + "\n")
        peers.stdin.flush()
        said = json.loads(peers.stdout.readline())
    return {name: {"normals_deg": each.pop("error"), **each} for name, each in said.items()}


CLASSIC = (
    "laplacian",
    "cotangent",
    "taubin",
    "bilateral-vertex",
    "bilateral",
    "bilateral-global",
    "guided",
    "l0",
    "l0-cotangent",
)


def show(title: str, found: dict[str, dict[str, object]]) -> None:
    best = min(float(found[m]["normals_deg"]) for m in CLASSIC)
    print(
        f"\n{title}: best classic {best:.2f}°, auto {float(found['auto']['normals_deg']) / best:.2f} ×",
        flush=True,
    )
    for name, each in found.items():
        sharp = each.get("sharp_edges_deg")
        print(
            f"  {name:17} {each['normals_deg']:6.2f}°"
            + (
                f"  distance {each['distance']:.3f}  volume {each['volume_change']:+.2%}"
                if "distance" in each
                else ""
            )
            + (f"  sharp {sharp:5.2f}°" if sharp is not None else "")
            + (f"  {each['seconds']:6.2f} s" if "seconds" in each else "")
            + f"  {each.get('setting', '')}",
            flush=True,
        )


SPEED = """
import json, resource, sys, time
import numpy as np
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.shapes import sphere
from okulo.algo.mesh.topology import topology
from okulo.apps.mesh.learned import denoise_learned, open_model
from okulo.core.nouns import Mesh
count, method = int(sys.argv[1]), sys.argv[2]
ball = sphere(3)
warm = add_noise(sphere(6), "along-normal", 0.2, np.random.default_rng(0))
copies = max(1, count // 81920)
base = sphere(6 if count >= 81920 else 5)
vertices = np.concatenate([base.vertices + [3 * k, 0, 0] for k in range(copies)])
faces = np.concatenate([base.faces + k * len(base.vertices) for k in range(copies)]).astype(np.int32)
mesh = add_noise(Mesh(vertices, faces), "along-normal", 0.2, np.random.default_rng(0))
def run(m, near):
    if method == "learned":
        return denoise_learned(m, near, open_model(None))
    return apply(m, near, Recipe(method=method))

for small in (ball, warm):
    run(small, topology(small))  # compiled, both forms
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
times = []
for _ in range(3 if count < 500_000 else 1):
    start = time.perf_counter(); near = topology(mesh); middle = time.perf_counter(); run(mesh, near)
    times.append((time.perf_counter() - start, middle - start))
total, neighbours = sorted(times)[len(times) // 2]
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
each = (after - before) * 1024 / len(faces)
print(json.dumps({"faces": len(faces), "seconds": total, "neighbours": neighbours, "bytes_a_face": each}))
"""


def speed(options: argparse.Namespace) -> dict[str, object]:
    """Time and memory of one method a child process; topology included."""
    rows: dict[str, object] = {}
    for method in options.methods:
        for count in options.counts:
            done = subprocess.run(
                [sys.executable, "-c", SPEED, str(count), method], capture_output=True, text=True, check=True
            )
            said = json.loads(done.stdout)
            rows[f"{method} {said['faces']}"] = said
            print(
                f"{method:17} {said['faces']:>9,} faces  {said['seconds']:7.2f} s "
                f"(neighbours {said['neighbours']:.2f})  {said['bytes_a_face']:6.0f} bytes a face",
                flush=True,
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=("errors", "speed"), default="errors")
    parser.add_argument("--peers", help="a Python that has open3d, pymeshlab and trimesh")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "cgal")
    parser.add_argument("--meshes", nargs="*", choices=(*MADE, *REAL))
    parser.add_argument("--levels", nargs="*", type=float, default=LEVELS)
    parser.add_argument("--noise", default="along-normal")
    parser.add_argument("--model", type=Path, help="mesh model; default: okulo's own")
    parser.add_argument("--methods", nargs="*", default=("bilateral", "guided", "taubin", "l0", "learned"))
    parser.add_argument("--counts", nargs="*", type=int, default=(20_480, 81_920, 491_520, 2_048_000))
    parser.add_argument("--name", default="", help="added to the name of the results' file")
    options = parser.parse_args()
    rows = errors(options) if options.part == "errors" else speed(options)
    write_results(
        f"mesh-{options.part}{options.name}", {"noise": options.noise, "cores": os.cpu_count(), "rows": rows}
    )


if __name__ == "__main__":
    main()
