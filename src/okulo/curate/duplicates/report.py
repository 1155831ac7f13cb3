"""What is said about groups: leakage, contradictory labels, loose links; and the plot of the scores."""

from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from okulo.io.files import write_aside

Row = tuple[str, str, float, str]


def group_findings(frame: pl.DataFrame) -> list[Row]:
    """Findings about a table with `path` and `group`: groups across splits, groups whose labels disagree.

    >>> frame = pl.DataFrame({"path": ["a", "b"], "group": [0, 0], "split": ["train", "test"]})
    >>> group_findings(frame)[0]
    ('a', 'leakage', 1.0, 'a copy of it is in another split: train: a; test: b')
    """
    rows: list[Row] = []
    several = frame.filter(pl.len().over("group") > 1)
    for name, kind, severity in (("split", "leakage", 1.0), ("label", "contradictory labels", 0.9)):
        if name not in several.columns:
            continue
        mixed = several.filter(pl.col(name).n_unique().over("group") > 1, pl.col(name).is_not_null())
        mixed = mixed.filter(pl.col(name).n_unique().over("group") > 1)  # an empty one contradicts nobody
        for _, group in mixed.group_by("group", maintain_order=True):
            rows += _one_group(group, name, kind, severity)
    return rows


def _one_group(group: pl.DataFrame, name: str, kind: str, severity: float) -> list[Row]:
    said = group.group_by(name, maintain_order=True).agg(pl.col("path").first(), pl.len())
    examples = "; ".join(
        f"{value}: {path}" + (f" and {count - 1} more" if count > 1 else "")
        for value, path, count in said.rows()
    )
    what = "a copy of it is in another split" if name == "split" else "a copy of it is labelled differently"
    return [(path, kind, severity, f"{what}: {examples}") for path in group["path"]]


def link_findings(
    paths: pl.Series, cut: Int64[np.ndarray, "c 2"], score: Float32[np.ndarray, " c"]
) -> list[Row]:
    """Findings about links that were not followed: the two look alike, their groups otherwise do not."""
    return [
        (
            paths[int(i)],
            "weak link",
            0.5,
            f"looks like {paths[int(j)]} ({value:.2f}), but their groups do not",
        )
        for (i, j), value in zip(cut.tolist(), score.tolist())
    ]


def plot_scores(score: Float32[np.ndarray, " p"], threshold: float, path: Path) -> None:
    """Draw how the pairs' scores are spread, and where the line was drawn; a PNG, whole or absent."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    edges = np.linspace(0, 1, 51).tolist()
    below, above = score[score < threshold], score[score >= threshold]
    axes.hist(below, edges, color="#9aa5b1", label=f"{len(below):,} look-alikes")
    axes.hist(above, edges, color="#d9822b", label=f"{len(above):,} copies")
    axes.axvline(threshold, color="black", linewidth=1, label=f"threshold {threshold:.2f}")
    axes.set_yscale("symlog")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("score of a pair after looking at both pictures")
    axes.set_ylabel("pairs")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    with write_aside(path) as aside:
        figure.savefig(aside, dpi=110, format="png")
