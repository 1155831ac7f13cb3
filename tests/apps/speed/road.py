"""A rendered road video with its calibration and the true speeds, made once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from okulo.apps.speed.calibration import save
from okulo.apps.speed.render import render
from okulo.apps.speed.simulate import Camera, Traffic, Vehicle, drive
from okulo.io.video import write_video

CAMERA = Camera(frame_px=(640, 360), focal_px=500)
TRAFFIC = Traffic(vehicles=5, headway_s=0.7, slowest_kmh=50, far_m=70)


@dataclass(frozen=True)
class Road:
    video: Path
    calibration: Path
    vehicles: list[Vehicle]


def make_road(folder: Path) -> Road:
    rng = np.random.default_rng(5)
    vehicles = drive(TRAFFIC, rng)
    with write_video(folder / "road.mp4", width=640, height=360) as writer:
        for time_s, image in render(CAMERA, TRAFFIC, vehicles, rng):
            writer.write(image, time_s)
    save(CAMERA.calibration(rng), folder / "c.json")
    return Road(folder / "road.mp4", folder / "c.json", vehicles)
