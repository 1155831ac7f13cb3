"""What `auto` knows: pairs whose truth is known, what every filter makes of them, and the forecast of errors.

    python benchmarks/mesh_auto.py                              make what is missing, judge by folds, write
    python benchmarks/mesh_auto.py --share 0/2 --only-make      one of two processes that make them

Shapes are made parts and blobs and CGAL's meshes, none of those that benchmarks/mesh.py judges on; noise is
of all four kinds and of some more, 0.005 to 0.4 of the mean edge length. Everything is kept under --cache;
another model file means its answers anew. Writes samples/mesh-auto.npz and benchmarks/results/mesh-auto.json.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np

from machine import write_results
from mesh import grid
from mesh_data import unpack
from okulo.algo.mesh.forecast import FLOOR_DEG, Forecast, fit_forecast
from okulo.algo.mesh.measure import normal_errors_deg
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import NOISE, add_noise, vertex_normals
from okulo.algo.mesh.shapes import CAD, blob, part
from okulo.algo.mesh.smooth import laplacian, taubin
from okulo.algo.mesh.topology import even_out, mean_edge_length, topology
from okulo.algo.mesh.traces import traces
from okulo.apps.mesh.auto import CANDIDATES, KNOWN, LEARNED, LOOK_AT, NONE, cut_part, pick
from okulo.apps.mesh.forecasts import write_forecast
from okulo.apps.mesh.learned import denoise_learned, find_model, open_model
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.io.meshes import join_same_points, read_mesh
from okulo.runtime.arrays import ArrayFile
from okulo.train.mesh.shapes import piece

SCANS = (
    *("camel", "dino", "homer", "lion-head", "bull", "cow", "man", "diplodocus", "mannequin-devil", "femur"),
    *("knot2", "cheese", "b9_mesh", "holes", "mech-holes-shark", "couplingdown", "mushroom"),
    *("ChineseDragon-10kv", "turbine", "blade"),
)
OTHERS = (
    *("blobby", "bones", "cylinder_locally_refined", "elk", "ellipe0.003", "head", "knot", "knot1", "lion"),
    *("triceratops", "retinal", "rotor_small", "three_peaks", "pinion_small", "hand", "helmet", "nefertiti"),
    *("pig", "spool", "joint", "tripod", "pipe", "oblong", "polygon_mesh"),
)
"""CGAL's meshes that the benchmark does not judge on; from some of them the model learned too."""

MORE = (
    Recipe(method="guided", sigma=0.45, iterations=10),
    Recipe(method="guided", sigma=0.6, iterations=40),
    Recipe(method="bilateral", sigma=0.6, iterations=5, follow=15, passes=12),
    Recipe(method="bilateral", sigma=0.35, iterations=10, follow=15, passes=2),
    Recipe(method="bilateral", sigma=0.45, iterations=5, follow=15, passes=4),
)
RECIPES = [recipe for recipe in grid() if recipe.method != "cotangent"] + list(MORE)
"""What an answer of `auto` is compared with: the benchmark's grid but for one method, and some more."""

SEED = 1
FOLDS = 8


def clean_shape(number: int, folder: Path, rng: np.random.Generator) -> tuple[str, Mesh]:
    kind = ("part", "blob", "part", "rough", "scan", "scan", "other")[number % 7]
    faces = int(np.exp(rng.uniform(np.log(2000), np.log(14000))))
    if kind == "part":
        name, step, state = str(rng.choice(sorted(CAD))), 0.05, rng.bit_generator.state
        for _ in range(2):
            rng.bit_generator.state = state
            step *= (len(part(rng, step, name)) / faces) ** 0.5
        rng.bit_generator.state = state
        return name, part(rng, step, name)
    if kind in ("blob", "rough"):
        subdivisions = int(rng.choice([4, 4, 5]))
        return kind, blob(rng, subdivisions, float(rng.uniform(0.1, 0.8)) if kind == "rough" else 0.0)
    return scanned(str(rng.choice(OTHERS if kind == "other" else SCANS)), faces, folder, rng)


def scanned(name: str, faces: int, folder: Path, rng: np.random.Generator) -> tuple[str, Mesh]:
    """One of CGAL's meshes or a piece of it; coarse ones are made finer, half of all are melted a little."""
    mesh = join_same_points(read_mesh(folder / f"{name}.off"))[0]
    if len(mesh) < 2500:
        mesh = finer(mesh)
        mesh = laplacian(mesh, topology(mesh), int(rng.integers(0, 6)))
    mesh = piece(mesh, faces, rng)
    if rng.random() < 0.5:
        mesh = taubin(mesh, topology(mesh), int(rng.choice([2, 5, 10, 20])))
    return name, mesh


def finer(mesh: Mesh) -> Mesh:
    """Cut every face in four."""
    sides = np.sort(np.concatenate([mesh.faces[:, [k, (k + 1) % 3]] for k in range(3)]), axis=1)
    unique, which = np.unique(sides, axis=0, return_inverse=True)
    a, b, c = mesh.faces.T
    ab, bc, ca = which.reshape(3, -1) + len(mesh.vertices)
    cut = [[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]
    faces = np.concatenate([np.stack(each, axis=1) for each in cut]).astype(np.int32)
    return Mesh(np.concatenate([mesh.vertices, mesh.vertices[unique].mean(axis=1)]), faces)


def spoil(mesh: Mesh, rng: np.random.Generator) -> tuple[str, float, Mesh]:
    """Add noise: of the simulator's kinds, a quarter of the sparse and the shared in other forms."""
    kind = str(rng.choice(list(NOISE), p=[0.2, 0.35, 0.2, 0.25]))
    level = float(rng.uniform(0.05, 0.4))
    if rng.random() < 0.12:
        level = float(rng.uniform(0.005, 0.05))
    odd = rng.random() < 0.25
    if not odd or kind not in ("impulsive", "scanner"):
        return kind, level, add_noise(mesh, kind, level, rng)
    size = level * mean_edge_length(mesh)
    count = len(mesh.vertices)
    if kind == "impulsive":
        hit = rng.random((count, 1)) < float(rng.uniform(0.03, 0.4))
        ways = vertex_normals(mesh) if rng.random() < 0.6 else rng.normal(size=(count, 3)) / 1.5
        moved = ways * rng.normal(0, 1.5 * size, (count, 1)) * hit
    else:
        stripes = even_out(rng.normal(size=count), topology(mesh).edges(), int(rng.integers(1, 6)))
        stripes /= max(float(stripes.std()), 1e-12)
        share = rng.uniform(0, 1)
        heights = np.sqrt(share) * stripes + np.sqrt(1 - share) * rng.normal(size=count)
        moved = vertex_normals(mesh) * (heights * size)[:, None]
    return f"{kind} otherwise", level, Mesh(mesh.vertices + moved, mesh.faces)


def make_pair(number: int, path: Path, folder: Path, spoiled: bool) -> None:
    """Make pair `number` and what every recipe makes of it."""
    rng = np.random.default_rng([SEED, number] if spoiled else [SEED, number, 9])
    name, clean = clean_shape(number, folder, rng)
    kind, level, noisy = spoil(clean, rng) if spoiled else (NONE, 0.0, clean)
    near = topology(noisy)
    if len(noisy) > LOOK_AT:
        clean, noisy = (
            cut_part(m, near, LOOK_AT, np.random.default_rng([SEED, number, 5])) for m in (clean, noisy)
        )
        near = topology(noisy)
    length = mean_edge_length(noisy)
    made = [(apply(noisy, near, recipe).vertices - noisy.vertices) / length for recipe in RECIPES]
    about = {"name": name, "kind": kind, "level": level}
    meshes = {"clean": clean.vertices, "faces": noisy.faces, "noisy": noisy.vertices}
    keep(path, **about, **meshes, made=np.float32(made))


def keep(path: Path, **arrays: object) -> None:
    aside = path.with_suffix(".aside.npz")
    np.savez(aside, **arrays)
    aside.rename(path)


def ask(pair: Path, path: Path, model: ArrayFile) -> None:
    """The model's answer for a pair, every candidate's error, and the traces of all candidates."""
    with np.load(pair) as held:
        noisy, clean = (Mesh(held[name], held["faces"]) for name in ("noisy", "clean"))
        made, about = held["made"], {name: held[name] for name in ("name", "kind", "level")}
    near, length = topology(noisy), mean_edge_length(noisy)
    known = {LEARNED: denoise_learned(noisy, near, model), NONE: noisy}
    known |= {
        str(recipe): Mesh(noisy.vertices + length * each.astype(np.float64), noisy.faces)
        for recipe, each in zip(RECIPES, made)
    }
    errors = {name: float(normal_errors_deg(mesh, clean).mean()) for name, mesh in known.items()}
    keep(path, **about, names=list(errors), errors=list(errors.values()),
         traces=traces(noisy, near, [known[name] for name in KNOWN]))  # fmt: skip


def make(options: argparse.Namespace, tag: str) -> None:
    """Make what is missing of this process's share; a broken mesh of CGAL's is left out."""
    share, of = (int(each) for each in options.share.split("/"))
    model, folder = open_model(options.model), unpack(options.folder)
    for key, number in list(keys(options).items())[share::of]:
        pair, path = options.cache / f"{key}.npz", options.cache / f"{key}.{tag}.npz"
        try:
            if not pair.is_file():
                make_pair(number, pair, folder, spoiled=key.isdigit())
        except BadInput as error:  # a mesh of CGAL's that is none of triangles
            print(key, "left out:", error, flush=True)
            continue
        if not path.is_file():
            ask(pair, path, model)
            print(key, flush=True)


def keys(options: argparse.Namespace) -> dict[str, int]:
    """Name all pairs, and say of which shape each is."""
    clean = {f"clean{number:03}": number for number in range(options.clean)}
    return {f"{number:04}": number for number in range(options.pairs)} | clean


def judge(
    names: list[str], groups: list[str], seen: np.ndarray, errors: np.ndarray, best: np.ndarray
) -> np.ndarray:
    """Error of what is chosen as a multiple of the best, each shape forecast by the others' outcomes."""
    found = np.zeros(len(seen))
    fold = {name: place % FOLDS for place, name in enumerate(dict.fromkeys(groups))}
    folds = np.array([fold[name] for name in groups])
    for each in range(FOLDS):
        held = np.flatnonzero(folds == each)
        forecast = fit_forecast(names, seen[folds != each], errors[folds != each] - FLOOR_DEG)
        for row in held:
            found[row] = errors[row, pick(forecast.errors_deg(seen[row]))] / best[row]
    return found


def fit(options: argparse.Namespace, tag: str) -> Forecast:
    """Fit the forecast to all pairs there are, and judge it by folds that share no scan."""
    rows = []
    for key in keys(options):
        path = options.cache / f"{key}.{tag}.npz"
        if path.is_file():
            with np.load(path) as held:
                rows.append((key, dict(held)))
    if not rows:
        raise SystemExit(f"no answers of this model under {options.cache}: leave --only-fit out")
    seen = np.stack([row["traces"] for _, row in rows])
    kept = [dict(zip(row["names"].tolist(), row["errors"])) for _, row in rows]
    errors = np.array([[row[name] for name in KNOWN] for row in kept]) + FLOOR_DEG
    best = np.array([min(row.values()) for row in kept]) + FLOOR_DEG
    # Made shapes are each their own group; all pieces of one scan are one.
    groups = [str(row["name"]) if str(row["name"]) in (*SCANS, *OTHERS) else key for key, row in rows]
    ratios = judge(list(KNOWN), groups, seen, errors, best)
    report(rows, ratios, errors, best, tag)
    return fit_forecast(KNOWN, seen, errors - FLOOR_DEG)


def report(rows: list, ratios: np.ndarray, errors: np.ndarray, best: np.ndarray, tag: str) -> None:
    """Print and write how near the best `auto` comes on shapes it did not learn from."""
    kinds = np.array([str(row["kind"]) for _, row in rows])
    clear = np.array([float(row["level"]) >= 0.08 or str(row["kind"]) == NONE for _, row in rows])
    table = {}
    for kind in ("noisy", *sorted(set(kinds))):
        chosen = clear & (kinds != NONE if kind == "noisy" else kinds == kind)
        table[kind] = {
            "pairs": int(chosen.sum()),
            **{
                name: {
                    "times_best": float(np.exp(np.log(each[chosen]).mean())),
                    "within_10_percent": float((each[chosen] <= 1.1).mean()),
                    "over_25_percent": float((each[chosen] > 1.25).mean()),
                    "worst": float(each[chosen].max()),
                }
                for name, each in (
                    ("auto", ratios),
                    ("learned", errors[:, 0] / best),
                    ("best candidate", errors.min(axis=1) / best),
                )
            },
        }
        said = (
            f"{name} {v['times_best']:.3f} × ({v['within_10_percent']:.0%} ≤ 1.1, worst {v['worst']:.2f})"
            for name, v in table[kind].items()
            if name != "pairs"
        )
        print(f"{kind:20} {table[kind]['pairs']:4}", *said, sep="  ")
    write_results(
        "mesh-auto", {"pairs": len(rows), "model": tag, "candidates": list(KNOWN), "by_folds": table}
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=357)
    parser.add_argument("--clean", type=int, default=32, help="how many clean shapes beside")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/mesh_auto/pairs"))
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/cgal"), help="where CGAL's meshes are unpacked"
    )
    parser.add_argument("--share", default="0/1", help="which part of the pairs this process makes")
    parser.add_argument("--model", type=Path, help="the model among the candidates; default: okulo's own")
    parser.add_argument("--only-make", action="store_true")
    parser.add_argument("--only-fit", action="store_true", help="of the pairs that are there")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(__file__).parents[1] / "samples/mesh-auto.npz"
    )
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    tag = hashlib.sha256(find_model(options.model).read_bytes()).hexdigest()[:8]
    if not options.only_fit:
        make(options, tag)
    if not options.only_make:
        write_forecast(options.output, fit(options, tag))
        print(f"{options.output}: {options.output.stat().st_size / 1000:.0f} kB; {len(CANDIDATES)} recipes")


if __name__ == "__main__":
    main()
