"""`okulo series clean`: recordings that say nothing of the mechanism are set aside, each with its reason."""

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int16

from okulo.apps.series.feature_list import NAMES
from okulo.apps.series.features import matrix
from okulo.apps.series.store import Store
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_json

FAR = 2.0
"""Values may lie so many typical ranges beyond the typical lowest and highest."""

NOISE = 0.6
"""(mean |step|)² / (mean square) is 4/π = 1.27 for white noise, and near 0 for a curve."""

Rule = tuple[str, Bool[np.ndarray, " n"]]
COMPARE: dict[str, Any] = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
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


@dataclass(frozen=True)
class Rules:
    """What makes a recording garbage: the user's limits, and what is typical of the others."""

    min_length: int
    max_missing: float
    max_gap: int
    ceiling: float
    floor: float
    dip: float
    """Below this a recording whose lowest value is its largest is upside down."""
    limit: tuple[str, ...]

    @classmethod
    def learn(cls, columns: dict[str, Float32[np.ndarray, " n"]], params: CleanParams) -> "Rules":
        """Take the limits over, and see what is typical: medians tell it, garbage does not move them."""
        rules = cls(
            params.min_length, params.max_missing, params.max_gap, np.inf, -np.inf, -np.inf, params.limit
        )
        good = np.ones(len(columns["length"]), bool)
        for _, broken in rules._quality(columns):
            good &= ~broken
        if not good.any():
            return rules
        low, high = (float(np.median(columns[name][good])) for name in ("lowest", "highest"))
        span = max(high - low, 1e-12)
        return replace(
            rules, ceiling=high + params.far * span, floor=low - params.far * span, dip=low - 0.5 * span
        )

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> "Rules":
        """Read what `clean.json` holds."""
        endless = {"ceiling": np.inf, "floor": -np.inf, "dip": -np.inf}  # JSON has no infinity
        known: dict[str, Any] = {
            name: endless[name] if value is None else value for name, value in said.items()
        }
        known["limit"] = tuple(said["limit"])
        return cls(**known)

    def judge(
        self, columns: dict[str, Float32[np.ndarray, " n"]]
    ) -> tuple[list[str], Int16[np.ndarray, " n"]]:
        """Say which rule each recording breaks first: names of rules, and per row the rule's place or -1."""
        rules = self._quality(columns) + self._impossible(columns)
        for text in self.limit:
            name, sign, number = parse_limit(text)
            rules.append((f"{name} is not {sign} {number:g}", ~COMPARE[sign](columns[name], number)))
        place = np.full(len(columns["length"]), -1, np.int16)
        for at in reversed(range(len(rules))):
            place[rules[at][1]] = at
        return [name for name, _ in rules], place

    def _quality(self, columns: dict[str, Float32[np.ndarray, " n"]]) -> list[Rule]:
        missing, rough = columns["missing"], columns["roughness"]
        return [
            ("no values", missing >= 1),
            (f"shorter than {self.min_length} values", columns["length"] < self.min_length),
            (f"more than {self.max_missing:.0%} of the values missing", missing > self.max_missing),
            (f"more than {self.max_gap} values missing in a row", columns["longest_gap"] > self.max_gap),
            ("constant", rough == 0),
            ("only noise, no curve", rough > np.sqrt(NOISE * columns["energy"])),
            ("no work to be seen", ~(columns["work"] > 0)),
        ]

    def _impossible(self, columns: dict[str, Float32[np.ndarray, " n"]]) -> list[Rule]:
        lowest, highest = columns["lowest"], columns["highest"]
        return [
            (f"impossible: above {self.ceiling:.3g}", highest > self.ceiling),
            (f"impossible: below {self.floor:.3g}", lowest < self.floor),
            ("upside down", (lowest < self.dip) & (-lowest > highest)),
        ]


def columns_of(frame: pl.DataFrame) -> dict[str, Float32[np.ndarray, " n"]]:
    """A table of features as arrays, all of them there."""
    whole = matrix(frame, NAMES)
    return {name: whole[:, place] for place, name in enumerate(NAMES)}


def run(params: CleanParams, progress: Progress = silent) -> CleanReport:
    """Judge all recordings and write `clean.parquet`: the id, and why it is excluded (null: it is kept)."""
    started = time.perf_counter()
    store = Store(params.store).require()
    store.refuse_existing("clean", replace=params.replace)
    frame = store.read_table("features")
    columns = columns_of(frame)
    rules = Rules.learn(columns, params)
    names, place = rules.judge(columns)
    told = pl.DataFrame({"place": place}).select(
        pl.col("place").replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
    )["place"]
    file = store.write_table(
        "clean", pl.DataFrame({"id": frame["id"], "excluded": told}), replace=params.replace
    )
    write_json(store.root / "clean.json", {"rules": rules})
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
