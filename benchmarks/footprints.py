"""Footprints beside buildingregulariser, geoai, Douglas-Peucker and minimum rotated rectangles.

    python3.11 -m venv /tmp/peers_footprints
    /tmp/peers_footprints/bin/pip install buildingregulariser==0.2.5
    pip download --no-deps --no-binary :all: buildingregulariser==0.2.5 && tar xzf
    buildingregulariser-0.2.5.tar.gz
    pip download --no-deps solaris==0.4.0 && unzip solaris-0.4.0-py3-none-any.whl 'solaris/data/*'
    pip download --no-deps geoai-py==0.40.1 && unzip geoai_py-0.40.1-py2.py3-none-any.whl 'geoai/*'
    python benchmarks/footprints.py --peers /tmp/peers_footprints/bin/python --data .

`--part quality|real|speed`, or all. One thread where nothing else is said. "ms" is CPU time a polygon. The
setting of buildingregulariser is the best of 24 on 60 other buildings. geoai's own regulariser is taken out
of its module, which would want torch.
"""

import argparse
import csv
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from machine import write_results
from okulo.algo.rings import FlatPolygons, contours, join_polygons
from okulo.apps.footprints.regularize import Regularity, regularize_flat
from okulo.apps.footprints.simulate import RECTILINEAR, Scene, simulate
from okulo.apps.footprints.vectors import read_vectors
from okulo.apps.footprints.walls import from_shape
from okulo.metrics import polygons as measure

Rings = tuple[np.ndarray, ...]
SETS = (
    ("light", "light", RECTILINEAR),
    ("medium", "medium", RECTILINEAR),
    ("heavy", "heavy", RECTILINEAR),
    ("medium, cut corners", "medium", ("cut",)),
    ("medium, two wings", "medium", ("wings",)),
    ("medium, round", "medium", ("round",)),
    ("medium, courtyards", "medium", ("courtyard",)),
)
GRID: list[dict[str, Any]] = [
    {"parallel_threshold": parallel, "simplify_tolerance": tolerance, "allow_45_degree": diagonal}
    for parallel in (1.0, 2.0, 4.0)
    for tolerance in (0.5, 1.0, 2.0, 3.0)
    for diagonal in (True, False)
]
COLUMNS = (
    *("iou", "c_iou", "hausdorff", "polis", "n_equal", "mta", "side_angle", "right", "parallel", "corners"),
)


def biggest(scene: Scene, polygons: Sequence[Rings]) -> list[Rings | None]:
    """The largest polygon of each cell of a scene."""
    side = scene.probability.shape[1] // scene.cell
    best: dict[int, tuple[float, Rings]] = {}
    for rings in polygons:
        column, row = (rings[0].mean(axis=0) // scene.cell).astype(int)
        area = shapely.Polygon(rings[0]).area
        if area > best.get(int(row * side + column), (0.0, rings))[0]:
            best[int(row * side + column)] = (area, rings)
    return [best[k][1] if k in best else None for k in range(len(scene.truth))]


def score(truths: Sequence[Rings], guesses: Sequence[Rings | None]) -> dict[str, float]:
    """Mean of all measures; what was lost counts as no overlap."""
    rows = []
    for truth, guess in zip(truths, guesses):
        if guess is None:
            rows.append((0.0, 0.0, np.nan, np.nan, 0.0, 90.0, 90.0, np.nan, np.nan, np.nan))
            continue
        rows.append(
            (
                measure.iou(truth, guess),
                measure.complexity_iou(truth, guess),
                measure.hausdorff(truth, guess),
                measure.polis(truth, guess),
                float(measure.vertex_count(truth) == measure.vertex_count(guess)),
                measure.max_tangent_angle_error(truth, guess),
                measure.max_side_angle_error(truth, guess),
                measure.right_angle_share(guess),
                measure.parallel_share(guess),
                float(measure.vertex_count(guess)),
            )
        )
    return dict(zip(COLUMNS, np.nanmean(np.array(rows), axis=0).round(4).tolist()))


def pixel_polygons(scene: Scene) -> list[Rings]:
    """Outlines of the binary mask along pixel edges: what other tools are given."""
    import rasterio.features

    mask = (scene.probability > 0.5).astype(np.uint8)
    found = rasterio.features.shapes(mask, mask=mask.astype(bool))
    shapes = [shapely.geometry.shape(shape) for shape, _ in found]
    return [from_shape(shape) for shape in shapes if shape.area >= 16]


def timed(work: Callable[[], Any], repeat: int = 3) -> tuple[Any, float]:
    """The answer, and the least time on the clock, s."""
    best, answer = np.inf, work()
    for _ in range(repeat):
        started = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - started)
    return answer, best


def spent(work: Callable[[], Any], repeat: int = 3) -> tuple[Any, float]:
    """The answer, and the least CPU time, s."""
    best, answer = np.inf, work()
    for _ in range(repeat):
        started = time.process_time()
        answer = work()
        best = min(best, time.process_time() - started)
    return answer, best


def ask_peer(python: str, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let buildingregulariser and geoai do these."""
    with tempfile.TemporaryDirectory() as folder:
        asked, said = Path(folder, "asked.json"), Path(folder, "said.json")
        asked.write_text(json.dumps(jobs))
        script = Path(__file__).parent / "peer_footprints.py"
        subprocess.run([python, str(script), str(asked), str(said)], check=True, capture_output=True)
        answers: list[dict[str, Any]] = json.loads(said.read_text())
        return answers


def to_wkt(polygons: Sequence[Rings]) -> list[str]:
    return [shapely.Polygon(rings[0], rings[1:]).wkt for rings in polygons]


def from_wkt(texts: Sequence[str | None]) -> list[Rings]:
    shapes = [shapely.from_wkt(text) for text in texts if text]
    parts = [max(shapely.get_parts(shape), key=lambda part: part.area) for shape in shapes]
    return [from_shape(part) for part in parts if part.geom_type == "Polygon" and not part.is_empty]


def others(polygons: Sequence[Rings]) -> dict[str, tuple[list[Rings], float]]:
    """Douglas-Peucker and minimum rotated rectangles by shapely, with their seconds."""
    shapes = np.array([shapely.Polygon(rings[0], rings[1:]) for rings in polygons])

    def simple() -> list[Rings]:
        return [from_shape(shape) for shape in shapely.simplify(shapes, 2.0)]

    def boxes() -> list[Rings]:
        return [from_shape(shape) for shape in shapely.minimum_rotated_rectangle(shapes)]

    return {"Douglas-Peucker, 2 px": spent(simple), "minimum rectangle": spent(boxes)}


def peers(python: str, data: Path | None) -> dict[str, dict[str, Any]]:
    """What each peer is asked: buildingregulariser at its defaults and at its best of `GRID`, geoai."""
    if not python:
        return {}
    scene = simulate(60, noise="medium", kinds=RECTILINEAR, rng=np.random.default_rng(7))
    raw = to_wkt(pixel_polygons(scene))
    answers = ask_peer(python, [{"polygons": raw, "options": options} for options in GRID])
    scores = [score(scene.truth.rings, biggest(scene, from_wkt(each["polygons"]))) for each in answers]
    best = GRID[max(range(len(GRID)), key=lambda k: (scores[k]["n_equal"], scores[k]["iou"]))]
    print("buildingregulariser's best of 24:", best)
    asked: dict[str, dict[str, Any]] = {
        "buildingregulariser": {"options": {}},
        "buildingregulariser, tuned": {"options": best},
    }
    if data and (data / "geoai" / "utils" / "geometry.py").exists():
        asked["geoai"] = {"options": {}, "geoai": str(data / "geoai" / "utils" / "geometry.py")}
    return asked


def quality(python: str, data: Path | None, count: int, seed: int) -> dict[str, Any]:
    """Simulated buildings of each noise, each method, all measures."""
    said: dict[str, Any] = {}
    scenes = {
        name: simulate(count, noise=noise, kinds=kinds, rng=np.random.default_rng(seed + k))
        for k, (name, noise, kinds) in enumerate(SETS)
    }
    raw = {name: pixel_polygons(scene) for name, scene in scenes.items()}
    asked = peers(python, data)
    jobs = [{"polygons": to_wkt(raw[name]), **each} for name in scenes for each in asked.values()]
    answers = iter(ask_peer(python, jobs)) if asked else iter(())
    for name, scene in scenes.items():
        rows: dict[str, dict[str, float]] = {}
        made = {"pixel edges": (raw[name], 0.0), **others(raw[name])}
        for peer in asked:
            answer = next(answers)
            made[peer] = (from_wkt(answer["polygons"]), answer["seconds"])
        outlines = contours(scene.probability, 0.5, min_area=16.0, min_hole=16.0)
        told, seconds = spent(lambda flat=outlines: regularize_flat(flat, Regularity()))
        made["okulo"] = ([told.outlines.polygon(k) for k in range(len(told))], seconds)
        for method, (polygons, taken) in made.items():
            rows[method] = score(scene.truth.rings, biggest(scene, polygons))
            rows[method]["ms"] = round(taken / len(polygons) * 1e3, 4)
        moved = [tuple(ring + 0.25 for ring in rings) for rings in scene.truth.rings]
        rows["the truth, moved by 1/4 px each way"] = {**score(scene.truth.rings, moved), "ms": 0.0}
        print_rows(name, rows)
        status = {n: told.names().count(n) for n in dict.fromkeys(told.names())}
        print("okulo:", status)
        said[name] = {**rows, "okulo's status": status}
    return {"peers": asked, **said}


def print_rows(name: str, rows: dict[str, dict[str, float]]) -> None:
    columns = list(next(iter(rows.values())))
    print(f"\n{name}\n{'':36}" + "".join(f"{column:>11}" for column in columns))
    for method, row in rows.items():
        print(f"{method:36}" + "".join(f"{row[column]:11.3f}" for column in columns), flush=True)


def spacenet(folder: Path) -> list[tuple[Rings, Rings]]:
    """Pairs (truth, prediction) of the SpaceNet samples in solaris, in pixels, of at least half overlap."""
    csv.field_size_limit(10**9)
    pairs: list[tuple[Rings, Rings]] = []

    def rows(name: str) -> dict[str, list[shapely.Polygon]]:
        found: dict[str, list[shapely.Polygon]] = {}
        with (folder / name).open() as lines:
            for row in csv.DictReader(lines):
                shape = shapely.force_2d(shapely.make_valid(shapely.from_wkt(row["PolygonWKT_Pix"])))
                parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > 100]
                found.setdefault(row["ImageId"], []).extend(parts)
        return found

    truth, guess = rows("SN2_sample_truth.csv"), rows("SN2_sample_preds.csv")
    by_image = [(truth.get(image, []), shapes) for image, shapes in guess.items()]
    geo = [
        [
            shapely.from_geojson(json.dumps(f["geometry"]))
            for f in json.loads((folder / n).read_text())["features"]
        ]
        for n in ("gt.geojson", "pred.geojson")
    ]
    by_image.append(
        (
            [shapely.transform(s, lambda xy: xy * 2) for s in geo[0]],
            [shapely.transform(s, lambda xy: xy * 2) for s in geo[1]],
        )
    )  # half a metre a pixel
    for truths, guesses in by_image:
        for shape in guesses:
            best = max(truths, key=lambda t: t.intersection(shape).area, default=None)
            if best is not None and best.intersection(shape).area > 0.5 * best.union(shape).area:
                pairs.append((from_shape(best), from_shape(shape)))
    return pairs


def real(python: str, data: Path) -> dict[str, Any]:
    """The raw footprints of buildingregulariser's sdist, and SpaceNet pairs."""
    read = read_vectors(data / "buildingregulariser-0.2.5" / "test data" / "input" / "test_data.gpkg", 1.0)
    raw = [read.flat.polygon(k) for k in range(len(read.flat))]
    pairs = spacenet(data / "solaris" / "data")
    guesses = [pair[1] for pair in pairs]
    asked = peers(python, data)
    jobs = [{"polygons": to_wkt(p), **each} for p in (raw, guesses) for each in asked.values()]
    answers = iter(ask_peer(python, jobs)) if asked else iter(())
    said: dict[str, Any] = {}
    for name, polygons, truths in (
        ("1,296 raw footprints", raw, raw),
        ("SpaceNet", guesses, [p[0] for p in pairs]),
    ):
        made: dict[str, tuple[list[Rings], float]] = {
            "as they are": (list(polygons), 0.0),
            **others(polygons),
        }
        for peer in asked:
            answer = next(answers)
            shapes = [from_wkt([text]) if text else [] for text in answer["polygons"]]
            made[peer] = ([s[0] if s else p for s, p in zip(shapes, polygons)], answer["seconds"])
        flat = join_polygons(list(polygons))
        told, seconds = spent(lambda flat=flat: regularize_flat(flat, Regularity()))
        made["okulo"] = ([told.outlines.polygon(k) for k in range(len(told))], seconds)
        rows = {}
        for method, (polygons_made, taken) in made.items():
            rows[method] = score(truths, polygons_made)
            rows[method]["ms"] = round(taken / len(polygons_made) * 1e3, 4)
        print_rows(
            f"{name} ({len(polygons)}; against {'the truth' if truths is not raw else 'themselves'})",
            rows,
        )
        print("okulo:", {n: told.names().count(n) for n in dict.fromkeys(told.names())})
        said[name] = rows
    return said


def speed() -> dict[str, Any]:
    """A picture of 2048² with 350 buildings to GeoJSON, and the cost for each vertex."""
    import rasterio.features

    from okulo.apps.footprints.command import FootprintParams
    from okulo.apps.footprints.pipeline import footprints_of_mask
    from okulo.apps.footprints.raster import mask_of
    from okulo.apps.footprints.write import geojson_text

    scene = simulate(361, noise="medium", cell=104, rng=np.random.default_rng(9))
    picture = np.zeros((2048, 2048), np.uint8)
    picture[:1976, :1976] = (scene.probability * 255).round().astype(np.uint8)
    mask = (picture > 127).astype(np.uint8)
    said: dict[str, Any] = {}

    def whole(values: np.ndarray, threads: int) -> str:
        asked = FootprintParams(source=Path("-"), out=Path("-"), threads=threads, min_area=16.0)
        return geojson_text(footprints_of_mask(asked, mask_of(values, kind), Regularity()).footprints)

    for kind, values, level in (("probability", picture, 127.5), ("mask", mask, 0.5)):
        flat, taken = timed(lambda v=values, at=level: contours(v, at, min_area=16.0, min_hole=16.0), 10)
        said[f"{kind}: contours of {len(flat)} buildings, ms"] = round(taken * 1e3, 2)
        for threads in (1, 2):
            _, taken = timed(lambda v=values, t=threads: whole(v, t), 10)
            said[f"{kind}: to GeoJSON, {threads} threads, ms"] = round(taken * 1e3, 2)
    _, taken = timed(lambda: list(rasterio.features.shapes(mask, mask=mask.astype(bool))), 3)
    said["rasterio.features.shapes alone, ms"] = round(taken * 1e3, 2)
    said["µs for each point, by the points of an outline"] = cost_by_size()
    said["ms a polygon, one thread"] = cost_by_set()
    said["ms a polygon, 100 houses wall to wall"] = cost_of_walls()
    for key, value in said.items():
        print(f"{key}: {value}")
    return said


def cost_by_set() -> dict[str, float]:
    """On the clock, 100 buildings of each set."""
    cost = {}
    for k, (name, noise, kinds) in enumerate(SETS):
        scene = simulate(100, noise=noise, kinds=kinds, rng=np.random.default_rng(900 + k))
        flat = contours(scene.probability, 0.5, min_area=16.0, min_hole=16.0)
        _, taken = timed(lambda p=flat: regularize_flat(p, Regularity()), 5)
        cost[name] = round(taken / len(flat) * 1e3, 3)
    return cost


def cost_of_walls() -> float:
    """Labels in rows of ten houses each, turned by 20°: outlined, made regular, walls shared."""
    from okulo.apps.footprints.pipeline import keep_topology, label_outlines
    from okulo.apps.footprints.regularize import Frame

    y, x = np.mgrid[0:700, 0:700].astype(np.float64) - 350
    turn = np.deg2rad(20)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    house, row = np.floor(u / 30).astype(int) + 5, np.floor(v / 46).astype(int) + 5
    inside = (house >= 0) & (house < 10) & (row >= 0) & (row < 10) & (v - np.floor(v / 46) * 46 < 36)
    labels = np.where(inside, row * 10 + house + 1, 0).astype(np.int32)

    def work() -> int:
        flat = label_outlines(labels, 16.0, 16.0)
        told = regularize_flat(flat, Regularity())
        return len(keep_topology(flat, told, Regularity(), Frame(), walls=True))

    count, taken = timed(work, 2)
    return round(taken / count * 1e3, 3)


def cost_by_size() -> dict[str, float]:
    """Combs of more and more teeth: the cost for each point should stay."""
    cost = {}
    for teeth in (4, 16, 64, 256):
        x = np.repeat(np.arange(2 * teeth) * 12.0, 2)
        y = np.tile([20.0, 36.0, 36.0, 20.0], teeth)
        ring = np.concatenate([np.stack([x, np.roll(y, -1)], axis=1), [[x[-1], 0.0], [0.0, 0.0]]])[::-1]
        picture = contours_of(ring + 3.0)
        _, taken = timed(lambda p=picture: regularize_flat(p, Regularity()), 5)
        cost[f"{len(picture.points):,}"] = round(taken / len(picture.points) * 1e6, 3)
    return cost


def contours_of(ring: np.ndarray) -> FlatPolygons:
    from okulo.apps.footprints.simulate import NOISES, disturb, draw

    width, height = (np.ptp(ring, axis=0) + 12).astype(int)
    seen = disturb(draw([ring], (int(height), int(width))), ring, NOISES["light"], np.random.default_rng(0))
    return contours(seen, 0.5, min_area=100.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", default="", help="python that has buildingregulariser")
    parser.add_argument("--data", type=Path, default=None, help="folder with the unpacked sdist and wheel")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--part", choices=("all", "quality", "real", "speed"), default="all")
    args = parser.parse_args()
    if args.part in ("all", "quality"):
        write_results("footprints-quality", quality(args.peers, args.data, args.count, args.seed))
    if args.part in ("all", "real") and args.data:
        write_results("footprints-real", real(args.peers, args.data))
    if args.part in ("all", "speed"):
        write_results("footprints-speed", speed())


if __name__ == "__main__":
    main()
