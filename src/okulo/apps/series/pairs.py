"""Pair plots of features with the excluded recordings marked."""

from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int16

from okulo.io.files import write_aside

SHOWN = 2500
PAIRS = (
    ("work", "peak_height"),
    ("highest", "lowest"),
    ("energy", "roughness"),
    ("plateau_level", "plateau_noise"),
    ("length", "missing"),
    ("peak_position", "peak_width"),
)
"""What is drawn against what."""


def plot_pairs(path: Path, frame: pl.DataFrame, place: Int16[np.ndarray, " n"]) -> None:
    """Draw pairs of features: a sample of the kept, the excluded marked; what lies far out, at the edge."""
    from matplotlib.figure import Figure

    rng = np.random.default_rng(0)
    figure = Figure(figsize=(13, 8), layout="constrained")
    samples = [_sample(np.flatnonzero(rows), rng) for rows in (place < 0, place >= 0)]
    for axes, (x, y) in zip(figure.subplots(2, 3).flat, PAIRS):
        values = [(frame[x].to_numpy()[rows], frame[y].to_numpy()[rows]) for rows in samples]
        kept = values[0] if len(samples[0]) else values[1]
        low_x, high_x = _range(kept[0])
        low_y, high_y = _range(kept[1])
        for (a, b), color, size, name in zip(values, ("#8b8378", "#b23a2e"), (4, 9), ("kept", "excluded")):
            axes.scatter(
                np.clip(a, low_x, high_x), np.clip(b, low_y, high_y), s=size, c=color, alpha=0.55,
                linewidths=0, label=name, zorder=3 if name == "excluded" else 2,
            )  # fmt: skip
        axes.set_xlabel(x.replace("_", " "))
        axes.set_ylabel(y.replace("_", " "))
        axes.spines[["top", "right"]].set_visible(False)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2, frameon=False, markerscale=2)
    figure.suptitle("What was excluded; points at an edge lie beyond it", x=0.02, ha="left", fontsize=13)
    with write_aside(path) as aside:
        figure.savefig(aside, dpi=110, format="png")


def _sample(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= SHOWN else rng.choice(rows, SHOWN, replace=False)


def _range(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = (float(each) for each in np.quantile(known, [0.002, 0.998]))
    pad = 0.25 * (high - low) or max(abs(low) * 0.25, 0.5)
    return low - pad, high + pad
