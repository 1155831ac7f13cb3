"""What was measured, as tables: a row a vehicle, and a row an observation."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from jaxtyping import Float64

from okulo.apps.speed.estimate import NINETY
from okulo.apps.speed.measure import Measured
from okulo.apps.speed.params import UNITS, SpeedParams
from okulo.core.nouns import Tracks


def vehicle_table(
    made: Measured, tracks: Tracks, good: np.ndarray, params: SpeedParams, names: Sequence[str],
    begins: datetime | None,
) -> pl.DataFrame:  # fmt: skip
    """One row a vehicle."""
    ground, factor, unit = made.ground, UNITS[params.unit], params.unit
    first, last = ground.starts[:-1][good], ground.starts[1:][good] - 1
    smooth = [made.speeds.smooth[a : b + 1] for a, b in zip(first, last)]
    label = [int(np.bincount(tracks.label[ground.row[a : b + 1]]).argmax()) for a, b in zip(first, last)]
    speed = made.means.speed[good] if params.method != "rule" else _rule_means(made, first, last)
    half = made.means.sd[good] * NINETY if params.method != "rule" else np.full(len(good), np.nan)
    table = pl.DataFrame(
        {
            "vehicle": ground.track[first],
            "label": pl.Series([names[each] if names else str(each) for each in label], dtype=pl.String),
            "first_s": ground.time_s[first],
            "last_s": ground.time_s[last],
            "rows": (last - first + 1).astype(np.int32),
            "way_m": made.way_m[good],
            "x_m": np.array([ground.metres[a : b + 1, 0].mean() for a, b in zip(first, last)]),
            "away": ground.metres[last, 1] > ground.metres[first, 1],
            f"speed_{unit}": speed * factor,
            f"low_{unit}": (speed - half) * factor,
            f"high_{unit}": (speed + half) * factor,
            f"fastest_{unit}": np.array([np.nanmax(each) for each in smooth]) * factor,
            f"rule_{unit}": _rule_means(made, first, last) * factor,
        }
    )
    if begins is not None:
        table = table.with_columns(
            at=pl.Series(
                [begins + timedelta(seconds=float(s)) for s in table["first_s"]], dtype=pl.Datetime("us")
            )
        )
    return table.fill_nan(None)


def _rule_means(made: Measured, first: np.ndarray, last: np.ndarray) -> Float64[np.ndarray, " m"]:
    parts = [made.rule[a : b + 1] for a, b in zip(first, last)]
    return np.array([np.nan if np.isnan(each).all() else np.nanmean(each) for each in parts], np.float64)


def row_table(made: Measured, tracks: Tracks, good: np.ndarray, unit: str) -> pl.DataFrame:
    """One row an observation: where it was, and its speed by each method."""
    ground, factor, speeds = made.ground, UNITS[unit], made.speeds
    kept = np.isin(np.repeat(np.arange(ground.vehicles), np.diff(ground.starts)), good)
    half = NINETY * factor
    table = pl.DataFrame(
        {
            "vehicle": ground.track,
            "time_s": ground.time_s,
            **{name: tracks.xyxy[ground.row, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
            "x_m": ground.metres[:, 0],
            "y_m": ground.metres[:, 1],
            f"smooth_{unit}": speeds.smooth * factor,
            f"smooth_low_{unit}": speeds.smooth * factor - speeds.smooth_sd * half,
            f"smooth_high_{unit}": speeds.smooth * factor + speeds.smooth_sd * half,
            f"live_{unit}": speeds.live * factor,
            f"live_low_{unit}": speeds.live * factor - speeds.live_sd * half,
            f"live_high_{unit}": speeds.live * factor + speeds.live_sd * half,
            f"rule_{unit}": made.rule * factor,
        }
    )
    return table.filter(pl.Series(kept)).fill_nan(None)
