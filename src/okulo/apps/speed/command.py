"""`okulo speed VIDEO`: detect, follow, put on the road, measure, and write it down."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from okulo.algo.track import Following, track
from okulo.apps.speed.calibration import load
from okulo.apps.speed.detections import ask
from okulo.apps.speed.draw import annotate
from okulo.apps.speed.estimate import NINETY
from okulo.apps.speed.ground import cut_reversals
from okulo.apps.speed.measure import Measured, measure
from okulo.apps.speed.params import UNITS, SpeedParams, SpeedReport
from okulo.apps.speed.plot import draw_speeds
from okulo.apps.speed.tables import row_table, vehicle_table
from okulo.core.errors import BadInput
from okulo.core.nouns import Detections, Tracks
from okulo.core.protocols import Answer, Image, Predictor, Progress, silent
from okulo.core.report import to_json
from okulo.io.detections import read_detections
from okulo.io.files import write_json
from okulo.io.tables import write_parquet
from okulo.io.video import Video, open_video

WIDEST = 0.3
"""Vehicles are few and fast: who is looked for far around is soon mistaken for the next one."""
OpenDetector = Callable[[Path], tuple[Predictor[Image, Answer], Sequence[str]]]
"""From a model file to what finds boxes, and the names of its classes."""


def run(
    params: SpeedParams, progress: Progress = silent, *, detector: OpenDetector | None = None
) -> SpeedReport:
    """Measure a video and write tables, plot and, if asked for, the annotated video."""
    started = time.monotonic()
    begins = _when(params.start)
    frames, tracks, found, video = _follow(params, progress, detector)
    calibration = load(params.calibration).scaled((video.width, video.height))
    tracks = cut_reversals(tracks, calibration)
    made = measure(tracks, calibration, every=params.every, average=params.average)
    good = np.flatnonzero((made.way_m >= params.least_m) & ~np.isnan(made.means.speed))
    files = [
        params.output / name for name in ("vehicles.parquet", "speeds.parquet", "speeds.png", "report.json")
    ]
    vehicles = vehicle_table(made, tracks, good, params, found.classes, begins)
    write_parquet(vehicles, files[0])
    write_parquet(row_table(made, tracks, good, params.unit), files[1])
    draw_speeds(made, good, params.unit, files[2])
    if params.annotate:
        files.append(params.output / "annotated.mp4")
        annotate(params, made, tracks, good, calibration, files[-1], progress)
    report = _report(
        params, made, tracks, good, vehicles, frames, found, video, time.monotonic() - started, files
    )
    write_json(files[3], {**to_json(report), "noise": to_json(made.noise)})
    return report


def _follow(
    params: SpeedParams, progress: Progress, detector: OpenDetector | None
) -> tuple[int, Tracks, "_Found", Video]:
    """Detections to tracks; says how many frames there were."""
    with ExitStack() as stack:
        video = stack.enter_context(open_video(params.video, fps=params.fps))
        found = _Found()
        if params.detections is not None:
            seen = read_detections(params.detections, params.labels)
            frames: Iterable[tuple[float, Detections]] = seen.frames
            found.classes = seen.names
            found.frames = video.count
        elif params.model is not None and detector is not None:
            predictor, found.classes = detector(params.model)
            frames = ask(video, predictor, found.classes, params.labels, found.saw)
        else:
            raise BadInput("detections", wanted="--model M or --detections D", got="neither")
        load(params.calibration).scaled((video.width, video.height))  # before an hour of work
        counted = found.count(progress(frames, label="following", total=video.count or None))
        tracks = track(counted, Following(lost_s=params.lost_s, widest=WIDEST))
        return found.frames, tracks, found, video


class _Found:
    """What passed by."""

    def __init__(self) -> None:
        self.frames = self.detections = 0
        self.classes: Sequence[str] = ()

    def saw(self, frames: int) -> None:
        self.frames = frames

    def count(self, frames: Iterable[tuple[float, Detections]]) -> Iterable[tuple[float, Detections]]:
        for time_s, found in frames:
            self.detections += len(found)
            yield time_s, found


def _when(said: str) -> datetime | None:
    try:
        return datetime.fromisoformat(said) if said else None
    except ValueError as error:
        raise BadInput("start", wanted="a time such as 2026-05-01T14:00", got=repr(said)) from error


def _report(
    params: SpeedParams, made: Measured, tracks: Tracks, good: np.ndarray, vehicles: pl.DataFrame, frames:
    int, found: _Found, video: Video, seconds: float, files: list[Path],
) -> SpeedReport:  # fmt: skip
    speed = vehicles[f"speed_{params.unit}"].drop_nulls()
    rows = np.diff(made.ground.starts)
    half = made.means.sd[good] * NINETY * UNITS[params.unit]

    def one(value: object) -> float | None:
        return None if value is None else float(value)  # type: ignore[arg-type]

    return SpeedReport(
        frames=frames,
        broken_frames=video.broken,
        detections=found.detections,
        tracks=len(np.unique(tracks.track)),
        vehicles=len(good),
        once=int((rows < 2).sum()),
        short=int((rows >= 2).sum()) - len(good),
        unit=params.unit,
        median=one(speed.median()),
        slowest=one(speed.min()),
        fastest=one(speed.max()),
        half_width=float(np.median(half)) if len(half) else None,
        learned=made.learned,
        hint=_hint(found.detections, len(tracks), made, len(good)),
        seconds=seconds,
        files=tuple(files),
    )


def _hint(detections: int, rows: int, made: Measured, vehicles: int) -> str:
    if vehicles:
        return "" if made.learned else "too few vehicles to learn the noise of; the intervals are a guess"
    if not detections:
        return "nothing was detected: is the threshold too high, or are these other classes?"
    if not rows:
        return "nothing was seen twice: are there too few frames a second, or do scores lie below 0.6?"
    if not len(made.ground):
        return "no vehicle stood whole on the calibrated plane: is this the calibration's camera?"
    return "nothing went far enough (--least-m)"
