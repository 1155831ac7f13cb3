"""What to label next: accuracy against the number of labels, each method beside random choice.

    OMP_NUM_THREADS=2 python benchmarks/pick.py --plot docs/images/pick.png

A simulated labelling run on the Fashion-MNIST sample: 100 random labels first, then round by round 100 more
that `okulo pick` chooses (its own code, a real table each round) and the truth answers. After each round a
support vector machine is trained on what is labelled and measured on the 2,000 test pictures. A second pool
is unbalanced, as pools are (two classes with ten times as many pictures as the other eight), a third holds
every picture five times over with a little noise, as bursts and video frames do; nobody marked the copies.
"""

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.svm import SVC

from curate_data import Labelled, read_fashion
from machine import write_results
from okulo.core.table import Items
from okulo.curate.pick import run
from okulo.curate.pick_params import PickParams
from okulo.io.tables import write_items

METHODS = {
    "random": {"method": "random"},
    "least-confident": {"method": "least-confident"},
    "margin": {"method": "margin"},
    "entropy": {"method": "entropy"},
    "k-center": {"method": "k-center"},
    "error-rate": {"method": "error-rate"},
    "combined": {"method": "combined"},
    "combined, balanced": {"method": "combined", "balance": True},
}
FIRST, STEP = 100, 100
JITTER = 20.0
"""Noise in each component of a copy, in all a fifth of the distance to the nearest other picture."""


def pools(data: Labelled) -> dict[str, np.ndarray]:
    """Rows to choose from: all training rows; an unbalanced part of them; 2,000 of them, each five times."""
    train = np.flatnonzero(~data.test)
    share = np.array([1.0, 1.0, *[0.1] * 8])
    rng = np.random.default_rng(0)
    keep = np.concatenate(
        [rng.choice(rows, round(share[c] * len(rows)), replace=False)
         for c in range(10) for rows in [train[data.truth[train] == c]]]
    )  # fmt: skip
    repeated = np.repeat(rng.choice(train, 2000, replace=False), 5)
    return {"even": train, "uneven": np.sort(keep), "redundant": repeated}


def simulate(
    data: Labelled, pool: np.ndarray, said: dict[str, object], rounds: int, seed: int
) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    known = np.zeros(len(pool), bool)
    known[rng.choice(len(pool), FIRST, replace=False)] = True
    truth, vectors = data.truth[pool], data.vectors[pool]
    if len(np.unique(pool)) < len(pool):  # copies differ a little, and nobody marked them as such
        vectors = vectors + np.random.default_rng(1).normal(0, JITTER, vectors.shape).astype(np.float32)
    curve = []
    with tempfile.TemporaryDirectory() as folder:
        table, chosen = Path(folder) / "items.parquet", Path(folder) / "pick.parquet"
        frame = pl.DataFrame(
            {"id": [f"{i}" for i in range(len(pool))], "path": [f"{i}.png" for i in range(len(pool))],
             "embedding": pl.Series(vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))}
        )  # fmt: skip
        for turn in range(rounds + 1):
            model = SVC(C=5, gamma="scale").fit(vectors[known], truth[known])
            right = model.predict(data.vectors[data.test]) == data.truth[data.test]
            worst = min(right[data.truth[data.test] == c].mean() for c in range(data.classes))
            curve.append(
                {"labels": int(known.sum()), "accuracy": float(right.mean()), "worst_class": float(worst)}
            )
            if turn == rounds:
                return curve
            label = [str(truth[i]) if known[i] else None for i in range(len(pool))]
            write_items(Items(frame.with_columns(label=pl.Series(label)), Path(folder)), table)
            run(PickParams(items=table, number=STEP, output=chosen, seed=seed * 100 + turn, **said))  # type: ignore[arg-type]
            known[[int(i) for i in pl.read_parquet(chosen)["id"]]] = True
    return curve


def labels_needed(curve: list[float], labels: list[int], goal: float) -> float:
    """Labels at which a mean curve first reaches a goal, read off between its points."""
    for (a, b), (x, y) in zip(pairwise(curve), pairwise(labels)):
        if b >= goal:
            return x if a >= goal else x + (y - x) * (goal - a) / (b - a)
    return float("nan")


def draw(summary: dict[str, dict[str, dict[str, list[float]]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(summary), figsize=(14, 4.4), constrained_layout=True)
    shown = ("random", "margin", "entropy", "k-center", "combined", "combined, balanced")
    for axis, (pool, curves) in zip(axes, summary.items()):
        for name in shown:
            said = curves[name]
            style = {"color": "black", "linestyle": "--"} if name == "random" else {}
            axis.plot(said["labels"], 100 * np.array(said["accuracy"]), label=name, linewidth=1.8, **style)
        axis.set(title=f"{pool} pool", xlabel="labels", ylabel="accuracy on 2,000 test pictures, %")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    data = read_fashion()
    summary: dict[str, dict[str, dict[str, list[float]]]] = {}
    table = []
    for pool, rows in pools(data).items():
        summary[pool] = {}
        for name, said in METHODS.items():
            runs = [simulate(data, rows, said, options.rounds, seed) for seed in range(options.seeds)]
            summary[pool][name] = {
                "labels": [point["labels"] for point in runs[0]],
                "accuracy": np.mean(
                    [[point["accuracy"] for point in each] for each in runs], axis=0
                ).tolist(),
                "spread": np.std([[point["accuracy"] for point in each] for each in runs], axis=0).tolist(),
                "worst_class": np.mean(
                    [[point["worst_class"] for point in each] for each in runs], axis=0
                ).tolist(),
            }
        goal = summary[pool]["random"]["accuracy"][-1]
        print(f"\n{pool} pool of {len(rows):,}, {options.seeds} seeds; random ends at {goal:.1%}")
        heads = ("at 300", "at 500", "at end", "± seeds", "worst class", "labels to random's end")
        print(f"{'method':20s} " + " ".join(f"{head:>11s}" for head in heads))
        for name, said in summary[pool].items():
            at = dict(zip(said["labels"], said["accuracy"]))
            needed = labels_needed(said["accuracy"], said["labels"], goal)  # type: ignore[arg-type]
            table.append({"pool": pool, "method": name, "labels_for_random_end": needed})
            shown = [at.get(300), at.get(500), *(said[k][-1] for k in ("accuracy", "spread", "worst_class"))]
            cells = " ".join(f"{value:11.1%}" if value is not None else " " * 11 for value in shown)
            print(f"{name:20s} {cells} {needed:11.0f}", flush=True)
    if options.plot:
        draw(summary, options.plot)
    print(f"wrote {write_results('pick', {'curves': summary, 'labels_needed': table})}")


if __name__ == "__main__":
    main()
