"""Mesh denoising: errors against a known truth, beside Open3D, PyMeshLab and trimesh; speed and memory.

    python benchmarks/mesh.py --peers /tmp/peers_mesh/bin/python      classic methods and peers
    python benchmarks/mesh.py --part learned                          `learned` on the same rows
    python benchmarks/mesh.py --part auto                             `auto` on the same rows
    python benchmarks/mesh.py --part auto --again                     the same after okulo's own model changed
    python benchmarks/mesh.py --part learned --models graph.onnx …    other networks on the same rows
    python benchmarks/mesh.py --part speed --peers …                  time and memory up to 2 million faces

Every classic method runs over a small grid of settings and shows its best one, ours and theirs alike; `auto`
and `learned` get no grid. Rows are added to the results as they are done, and those there are kept.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from machine import RESULTS, write_results
from mesh_data import MADE, REAL, load
from mesh_speed import speed
from okulo.algo.mesh.measure import measure, normal_errors_deg
from okulo.algo.mesh.methods import METHODS, Recipe, apply
from okulo.algo.mesh.noise import NOISE, add_noise
from okulo.algo.mesh.topology import face_shapes, topology
from okulo.apps.mesh.auto import choose
from okulo.apps.mesh.learned import denoise_learned, open_model
from okulo.core.nouns import Mesh

LEVELS = (0.1, 0.2, 0.3)
Row = dict[str, dict[str, object]]
"""Method → measures of what it made of one mesh."""


def grid() -> list[Recipe]:
    made = [Recipe(method=m, iterations=n) for m in ("laplacian", "cotangent") for n in (1, 2, 3, 5, 8)]
    made += [
        Recipe(method="laplacian", iterations=n, restore=k) for n, k in ((3, 4), (5, 4), (7, 4), (10, 7))
    ]
    made += [Recipe(method="taubin", iterations=n) for n in (3, 10, 30, 80)]
    made += [Recipe(method="bilateral-vertex", sigma=0.6, iterations=n) for n in (2, 5, 10)]
    for sigma in (0.25, 0.35, 0.45, 0.6):
        made += [Recipe(method="bilateral", sigma=sigma, iterations=n) for n in (5, 10, 20, 40)]
    for sigma, turns in ((0.25, 20), (0.25, 50), (0.35, 20), (0.6, 5), (0.6, 20)):
        made += [Recipe(method="guided", sigma=sigma, iterations=turns)]
    for passes, turns, back in ((2, 3, 0), (2, 5, 0), (3, 5, 0), (6, 5, 0), (2, 2, 5), (2, 3, 5), (2, 5, 5)):
        numbers = {"sigma": 0.6, "iterations": turns, "follow": 15, "passes": passes, "restore": back}
        made += [Recipe(method="bilateral", **numbers)]
    made += [Recipe(method="bilateral-global", sigma=0.45, strength=s) for s in (3.0, 20.0)]
    return made + [Recipe(method=m, strength=s) for m in ("l0", "l0-cotangent") for s in (0.1, 0.2)]


def classic(clean: Mesh, noisy: Mesh, recipes: list[Recipe]) -> Row:
    """Best of each method's grid, with every measure; seconds are processor time."""
    near = topology(noisy)
    found: Row = {"noisy": vars(measure(noisy, clean, near))}
    best: dict[str, tuple[float, Recipe, Mesh, float]] = {}
    for recipe in recipes:
        start = time.process_time()
        done = apply(noisy, near, recipe)
        seconds = time.process_time() - start
        error = float(normal_errors_deg(done, clean).mean())
        if recipe.method not in best or error < best[recipe.method][0]:
            best[recipe.method] = (error, recipe, done, seconds)
    for name, (_, recipe, done, seconds) in best.items():
        found[name] = {**vars(measure(done, clean, near)), "setting": str(recipe), "cpu_s": seconds}
    return found


def errors(options: argparse.Namespace) -> None:
    """Errors of every classic method and peer on every mesh; rows that are there already are kept."""
    rows = known_rows(f"mesh-errors{options.name}")
    peers = None
    if options.peers:
        script = str(Path(__file__).with_name("mesh_peer.py"))
        peers = subprocess.Popen(
            [options.peers, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    for name in options.meshes or (*MADE, *REAL):
        clean = load(name, options.folder, options.whole)
        for kind, level in ((k, v) for k in options.noise for v in options.levels):
            key = f"{name} {kind} {level}"
            if key in rows:
                continue
            noisy = add_noise(clean, kind, level, np.random.default_rng(options.seed))
            found = classic(clean, noisy, grid())
            if peers:
                found |= ask_peers(peers, clean, noisy)
            show(f"{key} ({len(clean):,} faces)", found)
            keep(options, key, found)
    if peers:
        peers.stdin.close()
        peers.wait()


def ask_peers(peers: subprocess.Popen[str], clean: Mesh, noisy: Mesh) -> Row:
    near = topology(noisy)
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder) / "pair.npz"
        truth = face_shapes(clean.vertices, clean.faces).normals
        np.savez(pair, vertices=noisy.vertices, faces=noisy.faces, truth=truth)
        peers.stdin.write(f"{pair}\n")
        peers.stdin.flush()
        said = json.loads(peers.stdout.readline())
        return {
            name: {**vars(measure(Mesh(np.load(f"{pair}.{name}.npy"), noisy.faces), clean, near)), **each}
            for name, each in said.items()
        }


def learned(options: argparse.Namespace) -> None:
    """Errors of `learned` (or of other model files) on the rows of results that are there."""
    models = {f"learned {path.name.partition('.')[0]}": path for path in options.models} or {"learned": None}
    for key, found, clean, noisy in rows_without(options, set(models)):
        near = topology(noisy)
        for label, path in models.items():
            model = open_model(path)
            start = time.process_time()
            done = denoise_learned(noisy, near, model)
            seconds = time.process_time() - start
            found[label] = {**vars(measure(done, clean, near)), "cpu_s": seconds}
        show(f"{key} ({len(clean):,} faces)", found)
        keep(options, key, found)


def auto(options: argparse.Namespace) -> None:
    """Errors of `auto` on the rows of results that are there, and what it expected."""
    model = open_model(None)
    for key, found, clean, noisy in rows_without(options, {"auto"}):
        near = topology(noisy)
        start = time.process_time()
        chosen = choose(noisy, near, np.random.default_rng(0), model)
        done = chosen.apply(noisy, near)
        seconds = time.process_time() - start
        said = {"setting": chosen.name, "expected_deg": dict(chosen.tried).get(chosen.name), "cpu_s": seconds}
        found["auto"] = {**vars(measure(done, clean, near)), **said}
        show(f"{key} ({len(clean):,} faces)", found)
        keep(options, key, found)


def rows_without(options: argparse.Namespace, names: set[str]) -> Iterator[tuple[str, Row, Mesh, Mesh]]:
    """Go through the rows that lack one of these methods, with their meshes; all rows, if made again."""
    rows = known_rows(f"mesh-errors{options.name}")
    if options.again:
        rows = {key: {k: v for k, v in found.items() if k not in names} for key, found in rows.items()}
        write_results(f"mesh-errors{options.name}", {"seed": options.seed, "rows": rows})
    for key, found in rows.items():
        name, kind, level = key.split()
        if (options.meshes and name not in options.meshes) or names <= found.keys():
            continue
        clean = load(name, options.folder, options.whole)
        yield key, found, clean, add_noise(clean, kind, float(level), np.random.default_rng(options.seed))


def keep(options: argparse.Namespace, key: str, found: Row) -> None:
    """Add what was found of one row to the results; others may have added theirs since."""
    rows = known_rows(f"mesh-errors{options.name}")
    rows[key] = rows.get(key, {}) | found
    write_results(f"mesh-errors{options.name}", {"seed": options.seed, "rows": rows})


def known_rows(name: str) -> dict[str, Row]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text())["rows"] if path.is_file() else {}


def show(title: str, found: Row) -> None:
    best = min(float(found[m]["normals_deg"]) for m in METHODS)
    print(f"\n{title}: best classic {best:.2f}°", flush=True)
    for name, each in found.items():
        sharp = each.get("sharp_edges_deg")
        print(
            f"  {name:17} {each['normals_deg']:6.2f}°  {each['normals_deg'] / best:5.2f} ×"
            f"  distance {each['distance']:.3f}  volume {each['volume_change']:+.2%}"
            + (f"  sharp {sharp:5.2f}°" if sharp is not None else "")
            + (f"  {each['cpu_s']:6.2f} s" if "cpu_s" in each else "")
            + f"  {each.get('setting', '')}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=("errors", "speed", "learned", "auto"), default="errors")
    parser.add_argument("--peers", help="a Python that has open3d, pymeshlab and trimesh")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "cgal")
    parser.add_argument("--meshes", nargs="*", choices=(*MADE, *REAL))
    parser.add_argument("--levels", nargs="*", type=float, default=LEVELS)
    parser.add_argument("--noise", nargs="*", default=("along-normal",), choices=tuple(NOISE))
    parser.add_argument("--seed", type=int, default=3, help="of the noise")
    parser.add_argument("--whole", action="store_true", help="do not cut meshes above 40,000 faces to 30,000")
    parser.add_argument("--models", nargs="*", type=Path, default=(), help="of --part learned")
    parser.add_argument(
        "--again", action="store_true", help="of --part learned and auto: forget what is there"
    )
    parser.add_argument("--methods", nargs="*", help="of --part speed: default all")
    parser.add_argument("--counts", nargs="*", type=int, default=(20_000, 100_000, 500_000, 2_000_000))
    parser.add_argument("--shuffled", action="store_true", help="of --part speed: faces in any order")
    parser.add_argument("--name", default="", help="added to the name of the results' file")
    options = parser.parse_args()
    if options.part == "speed":
        name = f"mesh-speed{options.name}"
        write_results(name, {"rows": known_rows(name) | speed(options)})
    else:
        {"errors": errors, "learned": learned, "auto": auto}[options.part](options)


if __name__ == "__main__":
    main()
