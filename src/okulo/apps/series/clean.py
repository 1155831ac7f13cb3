"""`okulo series clean`: recordings that say nothing of the mechanism are set aside, each with its reason."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32

from okulo.apps.series.feature_list import NAMES
from okulo.apps.series.features import matrix
from okulo.apps.series.store import Store
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent

FAR = 2.0
"""Values may lie so many typical ranges beyond the typical lowest and highest."""

NOISE = 0.6
"""(mean |step|)² / (mean square) is 4/π = 1.27 for white noise, and near 0 for a curve."""

LIMIT = re.compile(r"\s*([a-z_0-9]+)\s*(<=|>=|<|>)\s*(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")


@dataclass(frozen=True, kw_only=True)
class CleanParams(Params):
    """Set garbage aside: too short, full of gaps, impossible values, no curve; each with its reason."""

    store: Path = param(help="folder with features", positional=True)
    min_length: int = param(20, help="values a recording needs at least", low=8)
    max_missing: float = param(0.25, help="share of missing values it may have", low=0, high=1)
    max_gap: int = param(8, help="missing values in a row it may have", low=0)
    far: float = param(FAR, help="typical ranges a value may lie beyond the typical extremes", low=0)
    limit: tuple[str, ...] = param(
        (), help="what must hold of a good recording, as 'work>10' or 'peak_height<=8'; several times"
    )
    plot: bool = param(True, help="draw pairs of features with the excluded marked (clean.png)")
    replace: bool = param(False, help="make clean.parquet anew")


@dataclass(frozen=True, kw_only=True)
class CleanReport:
    """How many were kept, and why the others were not."""

    file: Path
    plot: Path | None
    series: int
    kept: int
    reasons: dict[str, int]
    seconds: float


def parse_limit(text: str) -> tuple[str, str, float]:
    """Read a limit: the feature, the comparison that must hold, the number.

    >>> parse_limit("work>10")
    ('work', '>', 10.0)
    """
    match = LIMIT.fullmatch(text)
    if not match:
        raise BadInput("limit", wanted="a feature, < <= > or >=, and a number, as 'work>10'", got=repr(text))
    name, sign, number = match.groups()
    if name not in NAMES:
        raise BadInput(
            "limit", f"there is no feature {name!r}", hint="`okulo series features --explain` lists them"
        )
    return name, sign, float(number)


def judge(frame: pl.DataFrame, params: CleanParams) -> tuple[list[str], np.ndarray]:
    """Say which rule each recording breaks first: names of rules, and per row the rule's place or -1."""
    limits = [parse_limit(text) for text in params.limit]
    columns = {name: frame[name].to_numpy() for name in frame.columns if name != "id"}
    rules: list[tuple[str, Bool[np.ndarray, " n"]]] = _quality(columns, params)
    bad = np.zeros(len(frame), bool)
    for _, broken in rules:
        bad |= broken
    rules += _impossible(columns, ~bad, params.far)
    for name, sign, number in limits:
        value = columns[name]
        holds = {"<": value < number, "<=": value <= number, ">": value > number, ">=": value >= number}[sign]
        rules.append((f"{name} is not {sign} {number:g}", ~holds))
    place = np.full(len(frame), -1, np.int16)
    for at in reversed(range(len(rules))):
        place[rules[at][1]] = at
    return [name for name, _ in rules], place


def _quality(
    columns: dict[str, Float32[np.ndarray, " n"]], params: CleanParams
) -> list[tuple[str, Bool[np.ndarray, " n"]]]:
    gap, missing = columns["longest_gap"], columns["missing"]
    energy, rough = columns["energy"], columns["roughness"]
    return [
        ("no values", missing >= 1),
        (f"shorter than {params.min_length} values", columns["length"] < params.min_length),
        (f"more than {params.max_missing:.0%} of the values missing", missing > params.max_missing),
        (f"more than {params.max_gap} values missing in a row", gap > params.max_gap),
        ("constant", rough == 0),
        ("only noise, no curve", rough**2 > NOISE * energy),
        ("no work to be seen", ~(columns["work"] > 0)),
    ]


def _impossible(
    columns: dict[str, Float32[np.ndarray, " n"]], good: Bool[np.ndarray, " n"], far: float
) -> list[tuple[str, Bool[np.ndarray, " n"]]]:
    """Values far beyond what recordings have: medians tell what is typical, garbage does not move them."""
    if not good.any():
        return []
    lowest, highest = columns["lowest"], columns["highest"]
    low, high = float(np.median(lowest[good])), float(np.median(highest[good]))
    span = max(high - low, 1e-12)
    ceiling, floor = high + far * span, low - far * span
    return [
        (f"impossible: above {ceiling:.3g}", highest > ceiling),
        (f"impossible: below {floor:.3g}", lowest < floor),
        ("upside down", (lowest < low - 0.5 * span) & (-lowest > highest)),
    ]


def run(params: CleanParams, progress: Progress = silent) -> CleanReport:
    """Judge all recordings and write `clean.parquet`: the id, and why it is excluded (null: it is kept)."""
    started = time.perf_counter()
    store = Store(params.store).require()
    store.refuse_existing("clean", replace=params.replace)
    frame = store.read_table("features")
    matrix(frame.head(0), NAMES)
    names, place = judge(frame, params)
    told = pl.DataFrame({"place": place}).select(
        pl.col("place").replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
    )["place"]
    file = store.write_table(
        "clean", pl.DataFrame({"id": frame["id"], "excluded": told}), replace=params.replace
    )
    plot = None
    if params.plot:
        from okulo.apps.series.pairs import plot_pairs  # here: it needs matplotlib

        plot = store.root / "clean.png"
        for _ in progress([None], label="drawing pairs of features"):
            plot_pairs(plot, frame, place)
    counts = np.bincount(place[place >= 0], minlength=len(names))
    return CleanReport(
        file=file,
        plot=plot,
        series=len(frame),
        kept=int((place < 0).sum()),
        reasons=_sorted({name: int(count) for name, count in zip(names, counts) if count}),
        seconds=time.perf_counter() - started,
    )


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


PAIRS: Sequence[tuple[str, str]] = (
    ("work", "peak_height"),
    ("highest", "lowest"),
    ("energy", "roughness"),
    ("plateau_level", "plateau_noise"),
    ("length", "missing"),
    ("peak_position", "peak_width"),
)
"""What is drawn against what."""
