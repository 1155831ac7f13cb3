"""What single prices bring to footprints: one changed at a time, on buildings that no other figure is of.

    python benchmarks/footprints_tries.py [--data FOLDER]     (a minute; for SpaceNet, see footprints.py)

Share with the exact corner count, largest angle error at the middles of sides, and overlap with the truth.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from footprints import SETS, biggest, score, spacenet
from machine import write_results
from okulo.algo.rings import contours, join_polygons
from okulo.apps.footprints.regularize import Regularity, regularize_flat
from okulo.apps.footprints.simulate import simulate
from okulo.apps.footprints.walls import from_shape

MORE = (("light, two wings", "light", ("wings",)), ("heavy, round", "heavy", ("round",)))
TRIES: dict[str, dict[str, float]] = {
    "default": {},
    "no angles (bend 0)": {"bend": 0.0},
    "no angles, half the price of roughness": {"bend": 0.0, "price_per_variance": 16.0},
    "half the price of roughness": {"price_per_variance": 16.0},
    "cheaper free sides (2.5)": {"free": 2.5},
    "cheaper diagonals (1.5)": {"diagonal": 1.5},
    "second direction from .25 on": {"second_share": 0.25},
    "second direction for the price of one side": {"another": 1.0},
    "corners counted in (trim 0)": {"trim": 0},
    "strength 0.6": {"strength": 0.6},
    "strength 0.6, corners counted in": {"strength": 0.6, "trim": 0},
}
Row = dict[str, float]


def simulated(count: int, seed: int) -> dict[str, dict[str, Row]]:
    """Each try on each set."""
    said: dict[str, dict[str, Row]] = {}
    for k, (name, noise, kinds) in enumerate((*SETS, *MORE)):
        scene = simulate(count, noise=noise, kinds=kinds, rng=np.random.default_rng(seed + k))
        flat = contours(scene.probability, 0.5, min_area=16.0, min_hole=16.0)
        for label, changed in TRIES.items():
            told = regularize_flat(flat, Regularity(**changed))
            made = [told.outlines.polygon(i) for i in range(len(told))]
            row = score(scene.truth.rings, biggest(scene, made))
            circles = told.names().count("circle") / count
            said.setdefault(label, {})[name] = {
                **{key: row[key] for key in ("iou", "n_equal", "side_angle", "corners")}, "circles": circles
            }  # fmt: skip
    return said


def real(folder: Path) -> dict[str, Row]:
    """Each try on the SpaceNet pairs: overlap with the truth, and corners."""
    pairs = spacenet(folder / "solaris" / "data")
    truths, guesses = ([pair[i] for pair in pairs] for i in range(2))
    flat, said = join_polygons(guesses), {}
    shapes = [[shapely.Polygon(rings[0], rings[1:]) for rings in each] for each in (truths, guesses)]
    drawn_in = [from_shape(shape.buffer(-0.25, join_style="mitre")) for shape in shapes[1]]
    for label, outlines in (("as predicted", guesses), ("as predicted, drawn in by 1/4 px", drawn_in)):
        row = score(truths, outlines)
        said[label] = {key: row[key] for key in ("iou", "corners")}
    share = [truth.area / guess.area for truth, guess in zip(*shapes)]
    print(f"SpaceNet: the truth has {np.median(share):.2f} of the prediction's area in the middle")
    for label, changed in TRIES.items():
        told = regularize_flat(flat, Regularity(**changed))
        row = score(truths, [told.outlines.polygon(i) for i in range(len(told))])
        said[label] = {key: row[key] for key in ("iou", "corners")}
    return said


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=5000)
    options = parser.parse_args()
    said: dict[str, Any] = {"setting": {"count": options.count, "seed": options.seed}}
    said["simulated"] = simulated(options.count, options.seed)
    print("exact corner count · angle error, degrees · IoU")
    for label, sets in said["simulated"].items():
        print(label)
        for name, row in sets.items():
            circles = f"  circles {row['circles']:.2f}" if row["circles"] else ""
            print(f"  {name:22} {row['n_equal']:.2f} · {row['side_angle']:4.1f} · {row['iou']:.3f}{circles}")
    if options.data:
        said["SpaceNet"] = real(options.data)
        for label, row in said["SpaceNet"].items():
            print(f"SpaceNet, {label:44} IoU {row['iou']:.4f}, {row['corners']:.1f} corners")
    write_results("footprints-tries", said)


if __name__ == "__main__":
    main()
