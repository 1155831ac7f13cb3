"""`okulo track`: who is who, from frame to frame, in a table of detections; and how well, against a truth."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from okulo.algo.track import Following, Tracker
from okulo.algo.track_mend import NOT_SEEN, Mending, fill, join
from okulo.core.errors import BadInput
from okulo.core.nouns import Tracks
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.detections import read_table
from okulo.io.tables import write_parquet
from okulo.metrics.tracking import TrackingScores, tracking_scores


@dataclass(frozen=True, kw_only=True)
class TrackParams(Params):
    """Give every detection of a video the number of the object it shows, and fill in where it was hidden."""

    detections: Path = param(help="what `okulo detect` wrote of one video (Parquet)", positional=True)
    output: Path = param(Path("tracks.parquet"), help="the rows with the column `track`", short="o")
    truth: Path | None = param(None, help="true tracks, in the same columns, to measure MOTA and IDF1 by")
    high: float = param(0.5, help="scores from which a detection is strong: matched first", low=0, high=1)
    low: float = param(0.1, help="scores below which a detection is not looked at", low=0, high=1)
    begin: float = param(0.6, help="scores from which a new track begins", low=0, high=1)
    lost_s: float = param(0.5, help="how long an object out of sight is waited for, seconds", low=0)
    join_s: float = param(
        2.0, help="afterwards, tracks of one object are joined over so many seconds; 0: as seen live", low=0
    )
    fill_s: float = param(
        2.0, help="gaps of up to so many seconds get rows of their own, with score 0 (0: none do)", low=0
    )
    apart: bool = param(False, help="never let one object be of two classes")


@dataclass(frozen=True)
class TrackReport:
    """What was followed."""

    output: Path
    frames: int
    rows: int
    followed: int
    """Rows that belong to a track."""
    tracks: int
    median_s: float | None
    """How long a track is seen."""
    joined: int
    """Tracks that were found to go on another."""
    filled: int
    """Rows that were added where an object was hidden."""
    per_second: float
    """Frames followed in a second of time."""
    scores: TrackingScores | None


def run(params: TrackParams, progress: Progress = silent) -> TrackReport:
    """Follow, write, and measure where there is a truth."""
    table = read_table(params.detections).sort("time_s", maintain_order=True)
    if "track" in table.columns:
        raise BadInput(
            str(params.detections), "already has a column track", hint="give the table of detections"
        )
    following = Following(
        high=params.high, low=params.low, begin=params.begin, lost_s=params.lost_s, apart=params.apart
    )
    made, frames, seconds = _follow(table, following, progress)
    done = table.with_columns(track=made)
    before, rows = made.drop_nulls().n_unique(), len(done)
    if params.join_s and before:
        done = _joined(done, params.join_s)
    joined = before - done["track"].drop_nulls().n_unique()
    seen = len(done.drop_nulls("track"))
    if params.fill_s and before:
        done = _filled(done, params.fill_s)
    kept = done.drop_nulls("track")
    spans = (
        kept.group_by("track").agg((pl.col("time_s").max() - pl.col("time_s").min()).alias("s"))["s"].median()
    )
    scores = None
    if params.truth is not None:
        true = read_table(params.truth)
        if "track" not in true.columns:
            raise BadInput(str(params.truth), "has no column track")
        scores = tracking_scores(_tracks(true.drop_nulls("track")), _tracks(kept))
    write_parquet(done, params.output)
    return TrackReport(
        params.output,
        frames,
        rows,
        seen,
        kept["track"].n_unique(),
        None if spans is None else float(spans),  # type: ignore[arg-type]
        joined,
        len(done) - rows,
        frames / max(seconds, 1e-9),
        scores,
    )


def _follow(table: pl.DataFrame, following: Following, progress: Progress) -> tuple[pl.Series, int, float]:
    """The track of each row (sorted by time), null for none; tracks seen once are none."""
    from okulo.io.detections import frames_of

    label = table["label"]
    codes = label.rank("dense").cast(pl.Int32) if label.dtype == pl.String else label.cast(pl.Int32)
    frames = frames_of(table, codes)
    tracker, parts, sure = Tracker(following), [], set()
    started = time.perf_counter()
    for time_s, found in progress(frames, label="following"):
        step = tracker.step(time_s, found)
        parts.append(step.track)
        sure.update(step.track[step.sure].tolist())
    seconds = time.perf_counter() - started
    number = np.concatenate([np.zeros(0, np.int64), *parts])
    known = np.isin(number, np.array(sorted(sure), np.int64))
    series = pl.Series("track", number, dtype=pl.Int64)
    return pl.select(pl.when(pl.Series(known)).then(series).alias("track"))["track"], len(frames), seconds


def _joined(table: pl.DataFrame, join_s: float) -> pl.DataFrame:
    """Give tracks that are one object's the number of the first."""
    known = table["track"].is_not_null().to_numpy()
    whole = join(_tracks(table.drop_nulls("track")), Mending(join_s=join_s))
    number = np.zeros(len(table), np.int64)
    number[known] = whole.track
    chosen = pl.when(pl.Series(known)).then(pl.Series(number, dtype=pl.Int64))
    return table.with_columns(track=chosen)


def _filled(table: pl.DataFrame, fill_s: float) -> pl.DataFrame:
    """Add rows where a track has a gap; what is not known of them is empty."""
    kept = table.drop_nulls("track")
    whole = fill(_tracks(kept), table["time_s"].cast(pl.Float64).unique().sort().to_numpy(), fill_s)
    new = whole.score == np.float32(NOT_SEEN)
    sides = {name: whole.xyxy[new, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))}
    added = pl.DataFrame(
        {"track": whole.track[new], "time_s": whole.time_s[new], **sides, "score": whole.score[new]}
    )
    label = kept.group_by("track").agg(pl.col("label").mode().first())
    added = added.join(label, on="track", how="left")
    shared = [name for name in ("frame", "source") if name in table.columns]
    if shared:
        of_frame = table.select("time_s", *shared).unique("time_s")
        added = added.join(of_frame, on="time_s", how="left")
    types = {name: table.schema[name] for name in added.columns}
    return pl.concat([table, added.cast(types)], how="diagonal").sort("time_s", maintain_order=True)  # type: ignore[arg-type]


def _tracks(table: pl.DataFrame) -> Tracks:
    n = len(table)
    return Tracks(
        track=table["track"].cast(pl.Int64).to_numpy(),
        time_s=table["time_s"].cast(pl.Float64).to_numpy(),
        xyxy=np.ascontiguousarray(table.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float32)),
        score=np.ones(n, np.float32),
        label=np.zeros(n, np.int32),
    )
