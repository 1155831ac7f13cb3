"""Class balance: how many items each class has in each split, in numbers, in words and as a plot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from okulo.core.table import SPLITS
from okulo.io.files import write_aside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = (*SPLITS, "none")
COLOURS = {"train": "#2f6f9f", "val": "#7fb3d5", "test": "#e0a458", "none": "#9aa0a6"}
MOST_BARS = 60
"""More classes than this are drawn as one falling curve."""


@dataclass(frozen=True)
class Balance:
    """Classes by size; `counts` has the columns label, items and one per split ("none": without a split)."""

    counts: pl.DataFrame
    ratio: float
    """Largest class over smallest; 1 for none or one class."""
    effective: float
    """As many classes of equal size would be as hard to guess: exp of the entropy."""
    words: str


def class_balance(frame: pl.DataFrame) -> Balance:
    """Count the classes of a table, by `label` or each of `labels`.

    >>> balance = class_balance(pl.DataFrame({"label": ["cat"] * 3 + ["dog"], "split": ["train"] * 4}))
    >>> balance.counts.rows(), balance.ratio, round(balance.effective, 2)
    ([('cat', 3, 3, 0, 0, 0), ('dog', 1, 1, 0, 0, 0)], 3.0, 1.75)
    """
    said = _labels_and_splits(frame)
    counts = (
        said.group_by("label")
        .agg(pl.len().alias("items"), *((pl.col("split") == part).sum().alias(part) for part in PARTS))
        .sort("items", "label", descending=[True, False])
        .with_columns(pl.col("items", *PARTS).cast(pl.Int64))
    )
    sizes = counts["items"].to_list()
    ratio = sizes[0] / sizes[-1] if sizes else 1.0
    total = sum(sizes)
    effective = math.exp(-sum(n / total * math.log(n / total) for n in sizes)) if sizes else 0.0
    return Balance(counts, ratio, effective, in_words(sizes, ratio, effective))


def _labels_and_splits(frame: pl.DataFrame) -> pl.DataFrame:
    """One row an item and label that holds: label, split ("none" where there is none)."""
    split = pl.col("split").fill_null("none") if "split" in frame.columns else pl.lit("none")
    empty = pl.DataFrame(schema={"label": pl.String, "split": pl.String})
    parts = [empty]
    if "label" in frame.columns:
        parts.append(frame.select(pl.col("label").cast(pl.String), split.alias("split")))
    if "labels" in frame.columns:
        own = frame.filter(pl.col("label").is_null()) if "label" in frame.columns else frame
        parts.append(own.select(pl.col("labels").alias("label"), split.alias("split")).explode("label"))
    return pl.concat(parts).drop_nulls("label")


def in_words(sizes: Sequence[int], ratio: float, effective: float) -> str:
    """Say how unequal the classes are, and what helps.

    >>> in_words([100, 100], 1.0, 2.0)
    'balanced'
    >>> in_words([100, 20], 5.0, 1.57)
    'unbalanced: the largest class has 5.0 × the items of the smallest; balanced sampling helps'
    """
    if not sizes:
        return "no labels"
    if len(sizes) == 1:
        return "one class only"
    if ratio <= 1.2:
        return "balanced"
    much = f"the largest class has {ratio:.1f} × the items of the smallest"
    if ratio <= 3:
        return f"slightly unbalanced: {much}"
    if ratio <= 10:
        return f"unbalanced: {much}; balanced sampling helps"
    return (
        f"very unbalanced: {much}; as hard to guess as {effective:.0f} equal classes of {len(sizes)}; "
        "use balanced sampling or class weights, and look at every class's own accuracy"
    )


def plot_balance(balance: Balance, path: Path) -> None:
    """Draw the classes as bars, stacked by split; many classes as one falling curve."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    classes = len(balance.counts)
    bars = classes <= MOST_BARS
    figure = Figure(
        figsize=(8, max(2.4, 1.3 + 0.26 * classes) if bars else 4.5), dpi=120, layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    (_draw_bars if bars else _draw_curve)(axes, balance.counts)
    axes.spines[["top", "right"]].set_visible(False)
    total = int(balance.counts["items"].sum())
    head = balance.words.partition(";")[0]
    axes.set_title(
        f"{total:,} items, {classes:,} classes · {head}", loc="left", fontsize=10, parse_math=False
    )
    with write_aside(path) as aside:
        figure.savefig(aside, format=path.suffix.lower().lstrip(".") or "png")


def _draw_bars(axes: "Axes", counts: pl.DataFrame) -> None:
    start = [0] * len(counts)
    rows = range(len(counts))
    for part in PARTS:
        lengths = counts[part].to_list()
        if any(lengths):
            name = "no split" if part == "none" else part
            axes.barh(rows, lengths, left=start, color=COLOURS[part], label=name, height=0.72)
        start = [a + b for a, b in zip(start, lengths)]
    for row, total in zip(rows, start):
        axes.annotate(f" {total:,}", (total, row), va="center", fontsize=7, color="#555555")
    axes.set_yticks(rows, [_short(name) for name in counts["label"]], fontsize=8, parse_math=False)
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.set_xlabel("items")
    axes.margins(x=0.08)
    axes.tick_params(axis="x", labelsize=8)
    if len(counts):
        axes.legend(loc="upper right", bbox_to_anchor=(1, -0.02), ncols=4, fontsize=8, frameon=False)


def _draw_curve(axes: "Axes", counts: pl.DataFrame) -> None:
    sizes = counts["items"].to_list()
    axes.fill_between(range(1, len(sizes) + 1), sizes, color=COLOURS["val"], step="mid", alpha=0.6)
    axes.plot(range(1, len(sizes) + 1), sizes, color=COLOURS["train"], drawstyle="steps-mid")
    axes.set_yscale("log")
    axes.set_xlabel("classes, the largest first")
    axes.set_ylabel("items (logarithmic)")


def _short(name: str) -> str:
    printable = "".join(letter if letter.isprintable() else "�" for letter in name)
    return printable if len(printable) <= 28 else printable[:27] + "…"
