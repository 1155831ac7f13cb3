"""Draw boxes, speeds and the calibration's grid into pictures."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from okulo.apps.speed.calibration import Calibration, grid
from okulo.apps.speed.measure import Measured
from okulo.apps.speed.params import UNITS, WORDS, SpeedParams
from okulo.core.nouns import Tracks
from okulo.core.protocols import Progress
from okulo.io.video import open_video, write_video

TEAL, DARK, WHITE = (20, 184, 166), (17, 24, 39), (255, 255, 255)


def draw_grid(
    image: UInt8[np.ndarray, "h w 3"], calibration: Calibration, *, strength: float = 0.5
) -> np.ndarray:
    """Lay the grid over a picture."""
    over = image.copy()
    thick = max(1, image.shape[1] // 900)
    for line in grid(calibration):
        a, b = (tuple(int(v) for v in point) for point in np.rint(line))
        cv2.line(over, a, b, TEAL, thick, cv2.LINE_AA)
    return np.asarray(cv2.addWeighted(over, strength, image, 1 - strength, 0))


def draw_box(image: UInt8[np.ndarray, "h w 3"], xyxy: Float64[np.ndarray, "4"], words: str) -> None:
    """Draw one box and its words, in place; the contact point is marked."""
    height, width = image.shape[:2]
    scale = max(0.4, width / 2200)
    thick = max(1, width // 900)
    x0, y0, x1, y1 = (int(v) for v in np.rint(xyxy))
    cv2.rectangle(image, (x0, y0), (x1, y1), TEAL, thick, cv2.LINE_AA)
    cv2.circle(image, ((x0 + x1) // 2, y1), 2 * thick, WHITE, -1, cv2.LINE_AA)
    (w, h), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    x = int(np.clip(x0, 0, max(0, width - w - 6)))
    y = int(np.clip(y0 - below - 4, h + 4, height - below - 2))
    cv2.rectangle(image, (x, y - h - 4), (x + w + 6, y + below), DARK, -1)
    cv2.putText(image, words, (x + 3, y - 1), cv2.FONT_HERSHEY_SIMPLEX, scale, WHITE, thick, cv2.LINE_AA)


def annotate(
    params: SpeedParams, made: Measured, tracks: Tracks, good: np.ndarray, calibration: Calibration, path:
    Path, progress: Progress,
) -> None:  # fmt: skip
    """Write the video again with what was measured drawn in."""
    ground = made.ground
    speed = {"smooth": made.speeds.smooth, "live": made.speeds.live, "rule": made.rule}[params.method]
    kept = np.isin(np.repeat(np.arange(ground.vehicles), np.diff(ground.starts)), good)
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(ground.time_s[rows], kind="stable")]
    times = ground.time_s[rows]
    with (
        open_video(params.video, fps=params.fps) as video,
        write_video(path, width=video.width, height=video.height, fps=video.fps) as writer,
    ):
        for frame in progress(video.frames(), label="drawing", total=video.count or None):
            image = draw_grid(frame.image, calibration, strength=0.3)
            a, b = np.searchsorted(times, [frame.time_s - 1e-4, frame.time_s + 1e-4])
            for row in rows[a:b]:
                said = speed[row] * UNITS[params.unit]
                words = "…" if np.isnan(said) else f"{said:.0f} {WORDS[params.unit]}"
                draw_box(image, tracks.xyxy[ground.row[row]].astype(np.float64), words.replace("…", "-"))
            writer.write(image, frame.time_s)
