"""`okulo speed watch`: go through speeds hour by hour, and through pictures, and tell of departures."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from okulo.apps.speed.calibrate import read_frame
from okulo.apps.speed.shift import Move, Reference, ShiftWatch
from okulo.apps.speed.watch import DAYS, Alarm, Watch, hourly
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.video import open_video


@dataclass(frozen=True, kw_only=True)
class WatchParams(Params):
    """Say whether the camera moved, or traffic was jammed, by speeds and by the picture."""

    vehicles: tuple[Path, ...] = param(
        (), help="tables of vehicles, each with the time of day (`--start`)", positional=True
    )
    reference: Path | None = param(None, help="a picture taken when the camera was calibrated")
    video: Path | None = param(None, help="a later video of the camera, held against the reference")
    every_s: float = param(5.0, help="seconds between the frames that are looked at", low=0)
    least_px: float = param(3.0, help="pixels from which on the camera has moved", low=0.5)
    days: int = param(DAYS, help="of history that say what is usual", low=5)


@dataclass(frozen=True)
class WatchReport:
    """What departed from what is usual."""

    hours: int
    first: datetime | None
    last: datetime | None
    alarms: tuple[Alarm, ...]
    frames: int
    unsure: int
    """Frames of which nothing could be said (dark, covered)."""
    move: Move | None
    move_at_s: float | None
    """When in the video the move was sure."""


def run(params: WatchParams, progress: Progress = silent) -> WatchReport:
    """Look at speeds, pictures or both."""
    if (params.reference is None) != (params.video is None):
        raise BadInput("watch", "--reference and --video go together")
    if not params.vehicles and params.video is None:
        raise BadInput("watch", wanted="tables of vehicles, or --reference and --video", got="neither")
    hours = hourly(*read_speeds(params.vehicles)) if params.vehicles else []
    watch, alarms = Watch(days=params.days), []
    for hour in hours:
        alarm = watch.hear(*hour)
        if alarm is not None:
            alarms.append(alarm)
    frames = unsure = 0
    move, moved_at = None, None
    if params.video is not None and params.reference is not None:
        frames, unsure, move, moved_at = _look(params, params.reference, params.video, progress)
    first, last = (hours[0][0], hours[-1][0]) if hours else (None, None)
    return WatchReport(len(hours), first, last, tuple(alarms), frames, unsure, move, moved_at)


def read_speeds(paths: tuple[Path, ...]) -> tuple[list[datetime], np.ndarray]:
    """Times and speeds of all vehicles of all tables."""
    parts = []
    for path in paths:
        try:
            frame = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise BadInput(str(path), f"cannot be read as Parquet ({reason})") from error
        if "at" not in frame.columns:
            raise BadInput(str(path), "has no times of day", hint="measure with --start 2026-05-01T14:00")
        names = [name for name in ("speed_kmh", "speed_mph") if name in frame.columns]
        if not names:
            raise BadInput(str(path), wanted="a table of vehicles", got=", ".join(frame.columns))
        parts.append((names[0], frame.select("at", pl.col(names[0]).alias("speed")).drop_nulls()))
    if len({name for name, _ in parts}) > 1:
        raise BadInput("vehicles", "some tables are in km/h and some in mph")
    every = pl.concat([frame for _, frame in parts]).sort("at")
    return every["at"].to_list(), every["speed"].to_numpy()


def _look(
    params: WatchParams, reference: Path, video_path: Path, progress: Progress
) -> tuple[int, int, Move | None, float | None]:
    watch = ShiftWatch(Reference(read_frame(reference, 0.0)), least_px=params.least_px)
    frames, next_s = 0, 0.0
    with open_video(video_path) as video:
        for frame in progress(video.frames(), label="looking", total=video.count or None):
            if frame.time_s < next_s:
                continue
            next_s = frame.time_s + params.every_s
            frames += 1
            move = watch.hear(frame.image)
            if move is not None:
                return frames, watch.unsure, move, frame.time_s
    return frames, watch.unsure, None, None
