"""What normal is: per feature the middle and the spread, by the length of the recording, robustly.

Nearly all recordings are normal, so their medians and quantiles describe normality as long as fewer than one
in ten departs in any one feature. Everything else is measured against it, in spreads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from okulo.apps.series.feature_list import BY_NAME
from okulo.apps.series.normal_kernels import deviations, unlikeness
from okulo.core.errors import BadInput

SAMPLE = 50_000
KNOTS = 8
BAND = 3.0
"""Deviations up to so many spreads are normal and count nothing."""

SOFT = 3.0
"""Deviations beyond the band are compressed logarithmically from about so many spreads on."""

APART = 2.0
"""A recording whose deviations beyond the band are longer than this is set apart from the normal ones."""


@dataclass(frozen=True)
class Normal:
    """The middle and the spread of every feature at some lengths; between them they are interpolated."""

    names: tuple[str, ...]
    knots: Float64[np.ndarray, " k"]
    middle: Float64[np.ndarray, "k d"]
    spread: Float64[np.ndarray, "k d"]

    def deviations(
        self, features: Float32[np.ndarray, "n d"], length: Float32[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n d"]:
        """How many spreads every feature lies from the middle for this length; undefined ones are 0."""
        z: np.ndarray = deviations(features, length, self.knots, self.middle, self.spread)
        return z

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "names": list(self.names),
            "knots": self.knots.tolist(),
            "middle": self.middle.tolist(),
            "spread": self.spread.tolist(),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Normal":
        """Read what `to_json` gave."""
        try:
            made = cls(
                tuple(said["names"]),
                *(np.asarray(said[name], np.float64) for name in ("knots", "middle", "spread")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput("normal model", f"cannot be read ({error})") from error
        if made.middle.shape != (len(made.knots), len(made.names)) or made.middle.shape != made.spread.shape:
            raise BadInput("normal model", wanted="one middle and spread a feature and knot", got="others")
        return made


def fit(
    names: Sequence[str],
    features: Float32[np.ndarray, "n d"],
    length: Float32[np.ndarray, " n"],
    rng: np.random.Generator,
) -> Normal:
    """Estimate normality from a sample of up to 50,000 recordings.

    Middle: the median. Spread: the smaller of the 90 % quantile of |x − median| / 1.645 and the 97.5 % one /
    2.24, each the standard deviation where x is Gaussian; the second keeps the spread of a feature with hard
    bounds (a start that is uniform in ± 5) from being overrated. Never below the feature's own resolution.

    >>> rng = np.random.default_rng(0)
    >>> x = np.float32(rng.normal(7, 2, (20000, 1)))
    >>> x[:900] += 100  # faults
    >>> model = fit(["peak_height"], x, np.full(20000, 60, np.float32), rng)
    >>> model.middle.round(1).tolist(), bool(1.9 < model.spread[0, 0] < 2.4)
    ([[7.1]], True)
    """
    if not len(features):
        raise BadInput("recordings", wanted="at least one", got="none")
    rows = np.arange(len(features))
    if len(rows) > SAMPLE:
        rows = np.sort(rng.choice(len(rows), SAMPLE, replace=False))
    some, long = features[rows].astype(np.float64), length[rows]
    edges = np.unique(np.quantile(long, np.linspace(0, 1, KNOTS + 1)))
    if len(rows) < 100 * KNOTS or len(edges) < 3:
        edges = np.array([long.min(), long.max()])
    knots: list[float] = []
    middle: list[np.ndarray] = []
    spread: list[np.ndarray] = []
    for first, last in pairwise(edges):
        inside = (long >= first) & (long <= last)
        knot = float(np.median(long[inside]))
        if knots and knot <= knots[-1]:
            continue
        at, wide = _middle_and_spread(some[inside])
        knots.append(knot)
        middle.append(at)
        spread.append(wide)
    least = np.array([max(BY_NAME[name].step if name in BY_NAME else 0.0, 1e-9) for name in names])
    made = np.array(spread)
    made = np.where(np.isnan(made), least, np.maximum(made, least))
    return Normal(tuple(names), np.array(knots), np.nan_to_num(np.array(middle)), made)


def _middle_and_spread(
    x: Float64[np.ndarray, "n d"],
) -> tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, " d"]]:
    middle = _quantile(x, 0.5)
    away = np.abs(x - middle)
    spread = np.fmin(_quantile(away, 0.9) / 1.645, _quantile(away, 0.975) / 2.24)
    return middle, spread


def _quantile(x: Float64[np.ndarray, "n d"], share: float) -> Float64[np.ndarray, " d"]:
    """Columns' quantiles, the NaN left out; ten times as fast as nanquantile."""
    ordered = np.sort(x, axis=0)  # NaN come last
    known = len(x) - np.isnan(x).sum(axis=0)
    at = share * np.maximum(known - 1, 0)
    low = at.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(known - 1, 0))
    columns = np.arange(x.shape[1])
    value: np.ndarray = ordered[low, columns] + (at - low) * (ordered[high, columns] - ordered[low, columns])
    return np.where(known > 0, value, np.nan)


def unlike(z: Float32[np.ndarray, "n d"], band: float = BAND) -> Float32[np.ndarray, " n"]:
    """How unlike the normal: Euclidean length of the deviations beyond the band.

    >>> unlike(np.float32([[1, -2.9], [3, 6], [0, -8]])).tolist()
    [0.0, 3.0, 5.0]
    """
    length: np.ndarray = unlikeness(z, band)
    return length


def patterns(
    z: Float32[np.ndarray, "n d"], band: float = BAND, soft: float = SOFT
) -> Float32[np.ndarray, "n d"]:
    """Deviations as patterns: 0 within the band, beyond it compressed.

    So how grave a fault is matters less than in which features it shows.

    >>> patterns(np.float32([[1.0, 6.0, -300]])).round(2)
    array([[  0.  ,   2.08, -13.82]], dtype=float32)
    """
    beyond = np.maximum(np.abs(z) - band, 0)
    pattern: np.ndarray = np.sign(z) * soft * np.log1p(beyond / soft)
    return pattern.astype(np.float32)
