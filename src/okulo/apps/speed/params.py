"""What `okulo speed` may be told, and what it says."""

from dataclasses import dataclass
from pathlib import Path

from okulo.core.params import Params, param

UNITS = {"kmh": 3.6, "mph": 3600 / 1609.344}
"""Of a metre a second."""
WORDS = {"kmh": "km/h", "mph": "mph"}
"""Units as people write them."""
METHODS = ("smooth", "live", "rule")


@dataclass(frozen=True, kw_only=True)
class SpeedParams(Params):
    """Measure the speed of every vehicle of a fixed camera's video."""

    video: Path = param(help="the video, of a camera that stands still", positional=True)
    calibration: Path = param(help="what `okulo speed calibrate` wrote")
    model: Path | None = param(None, help="a detector (model file) that finds the vehicles")
    detections: Path | None = param(None, help="or what `okulo detect` wrote of this video (Parquet)")
    output: Path = param(Path("speed"), help="folder for tables, plot and video", short="o")
    unit: str = param("kmh", help="of the tables and pictures", choices=tuple(UNITS))
    method: str = param(
        "smooth",
        help="shown: smooth (knows all of the vehicle), live (what was seen by then), rule (every n frames)",
        choices=METHODS,
    )
    every: int = param(10, help="the rule measures every so many frames of a vehicle's own", low=1)
    average: int = param(3, help="and averages so many measurements", low=1)
    labels: tuple[str, ...] = param(
        ("car", "truck", "bus", "motorbike", "motorcycle"),
        help="classes that are vehicles; 'all' takes every",
    )
    least_m: float = param(5.0, help="vehicles that went less far are left out (metres)", low=0)
    lost_s: float = param(1.0, help="a vehicle out of sight so long has another number then", low=0)
    fps: float | None = param(None, help="frames a second, where the video's own clock is wrong", low=0.1)
    start: str = param("", help="when the video begins (2026-05-01T14:00), for the hour of day in `watch`")
    annotate: bool = param(False, help="write the video with boxes, speeds and the grid drawn in")


@dataclass(frozen=True)
class SpeedReport:
    """What was measured."""

    frames: int
    broken_frames: int
    detections: int
    tracks: int
    vehicles: int
    once: int
    """Tracks seen once, which have no speed."""
    short: int
    """Tracks that went less far than asked for."""
    unit: str
    median: float | None
    """Of the vehicles' mean speeds."""
    slowest: float | None
    fastest: float | None
    half_width: float | None
    """Median half width of the 90 % intervals."""
    learned: bool
    """Whether the noise was learned of this video."""
    hint: str
    seconds: float
    files: tuple[Path, ...]
