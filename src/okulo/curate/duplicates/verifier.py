"""From what was measured of a pair to the probability that it is one picture twice.

A boosted forest (Friedman 2001) of shallow trees, fitted by `benchmarks/curate_fit.py` on planted copies of
real pictures and on their nearest true neighbours; it is monotone: more agreement never lowers the score. The
fitted numbers lie beside this file and are plain arrays.
"""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from okulo.curate.duplicates.evidence import NAMES
from okulo.curate.duplicates.forest_kernels import sum_trees

FITTED = Path(__file__).with_name("verifier.npz")


@dataclass(frozen=True)
class Forest:
    """Trees as arrays: node i splits on `feature[i]`, and is a leaf where `left[i]` is negative."""

    roots: Int32[np.ndarray, " t"]
    feature: Int32[np.ndarray, " n"]
    threshold: Float64[np.ndarray, " n"]
    left: Int32[np.ndarray, " n"]
    right: Int32[np.ndarray, " n"]
    missing_left: Bool[np.ndarray, " n"]
    value: Float64[np.ndarray, " n"]
    start: Float64[np.ndarray, ""]

    def score(self, rows: Float32[np.ndarray, "p e"]) -> Float32[np.ndarray, " p"]:
        """Probability, for each pair's measurements, that it is one picture twice."""
        sums = self.start + sum_trees(
            rows,
            self.roots,
            self.feature,
            self.threshold,
            self.left,
            self.right,
            self.missing_left,
            self.value,
        )
        scored: np.ndarray = 1 / (1 + np.exp(-sums))
        return scored.astype(np.float32)


def load_forest(path: Path) -> Forest:
    """Read a forest that `save_forest` wrote."""
    with np.load(path, allow_pickle=False) as said:
        if tuple(said["names"].tolist()) != NAMES:
            raise ValueError(f"{path} was fitted on other measurements")  # a file of ours, never the user's
        return Forest(**{each.name: said[each.name] for each in fields(Forest)})


def save_forest(forest: Forest, path: Path) -> None:
    """Write a forest, with the names of what it was fitted on."""
    np.savez_compressed(
        path, names=np.array(NAMES), **{e.name: getattr(forest, e.name) for e in fields(Forest)}
    )


@cache
def verifier() -> Forest:
    """Load the forest that comes with okulo, once."""
    return load_forest(FITTED)
