"""A camera over a road, vehicles of known speed, and what a detector would make of them.

The world is in metres: x across the road, y along it away from the camera, z up; the camera stands at y = 0.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from okulo.apps.speed.calibration import Calibration
from okulo.core.nouns import Detections, Tracks

KMH = 3.6
"""Kilometres an hour in a metre a second."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera, with a little barrel or pincushion distortion if asked for."""

    height_m: float = 9.0
    x_m: float = -6.0
    pitch_rad: float = 0.22
    """How far it looks down."""
    yaw_rad: float = 0.08
    """How far it looks to the right."""
    focal_px: float = 1500.0
    frame_px: tuple[int, int] = (1920, 1080)
    distortion: float = 0.0
    """k₁ of the radial model: a point at r (in focal lengths) is seen at r·(1 + k₁r²)."""

    def picture(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 2"]:
        """Where world points are seen, in pixels.

        >>> level = Camera(x_m=0, pitch_rad=0, yaw_rad=0)
        >>> level.picture(np.array([[0.0, 10.0, 9.0], [1.0, 10.0, 0.0]])).tolist()
        [[960.0, 540.0], [1110.0, 1890.0]]
        """
        x, y, z = (points - [self.x_m, 0, self.height_m]).T
        x, y = (
            x * np.cos(self.yaw_rad) - y * np.sin(self.yaw_rad),
            x * np.sin(self.yaw_rad) + y * np.cos(self.yaw_rad),
        )
        ahead = y * np.cos(self.pitch_rad) - z * np.sin(self.pitch_rad)
        down = -z * np.cos(self.pitch_rad) - y * np.sin(self.pitch_rad)
        flat = np.stack([x, down], axis=1) / ahead[:, None]
        flat *= 1 + self.distortion * (flat**2).sum(axis=1, keepdims=True)
        return np.asarray(flat * self.focal_px + np.array(self.frame_px) / 2)

    def calibration(
        self, rng: np.random.Generator, *, clicks_px: float = 0.0, near_m: float = 20.0, length_m: float =
        70.0, width_m: float = 10.5, more: int = 0,
    ) -> Calibration:  # fmt: skip
        """What somebody makes of this view who marks a rectangle with an unsteady hand."""
        far = near_m + length_m
        corners = np.array([[0, near_m, 0], [width_m, near_m, 0], [width_m, far, 0], [0, far, 0]], float)
        a, b, c, d = (tuple(each) for each in self.picture(corners) + rng.normal(0, 1, (4, 2)) * clicks_px)
        ground = np.stack([rng.uniform(0, width_m, more), rng.uniform(0, length_m, more)], axis=1)
        seen = self.picture(np.column_stack([ground[:, 0], ground[:, 1] + near_m, np.zeros(more)]))
        seen += rng.normal(0, 1, seen.shape) * clicks_px
        return Calibration(
            corners_px=(a, b, c, d), width_m=width_m, length_m=length_m, frame_px=self.frame_px,
            click_px=clicks_px, more=tuple((*px, *m) for px, m in zip(seen.tolist(), ground.tolist())),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Who drives, and how well it is seen."""

    vehicles: int = 80
    slowest_kmh: float = 25.0
    fastest_kmh: float = 130.0
    acceleration_mps2: float = 0.0
    """Typical acceleration or braking; it changes over a few seconds."""
    fps: float = 25.0
    lanes: tuple[float, ...] = (1.75, 5.25, 8.75)
    """Middle of each lane, x in metres; in odd ones (the second, …) vehicles come nearer."""
    near_m: float = 18.0
    far_m: float = 110.0
    jitter: float = 0.015
    """White noise of each side of a box, in box widths and heights."""
    drift: float = 0.0
    """The same, but drifting: correlated over `drift_s`."""
    drift_s: float = 0.7
    missed: float = 0.03
    dropped: float = 0.0
    """Share of frames that never come."""
    uneven: float = 0.0
    """Jitter of the time between frames, in frames; times are told truly."""
    headway_s: float = 2.0
    """Least time between two of one lane."""


@dataclass(frozen=True)
class Driven:
    """What happened: tracks as detected, and beside each row the true speed."""

    tracks: Tracks
    speed_mps: Float64[np.ndarray, " n"]
    """Of the vehicle at that moment."""
    true_xyxy: Float64[np.ndarray, "n 4"] = field(repr=False)
    """The box without noise."""


@dataclass(frozen=True)
class Vehicle:
    """One drive through the view."""

    size_m: tuple[float, float, float]
    """Width, length, height."""
    lane_m: float
    away: bool
    time_s: Float64[np.ndarray, " t"]
    y_m: Float64[np.ndarray, " t"]
    """Of its nearest edge."""
    speed_mps: Float64[np.ndarray, " t"]


SIZES = ((1.8, 4.4, 1.5), (1.9, 4.8, 1.7), (2.1, 5.8, 2.4), (2.5, 9.0, 3.4))


def drive(traffic: Traffic, rng: np.random.Generator) -> list[Vehicle]:
    """Let vehicles drive through; in each lane they keep apart all the way."""
    free = dict.fromkeys(range(len(traffic.lanes)), 0.0)
    made = []
    for _ in range(traffic.vehicles):
        lane = int(rng.integers(len(traffic.lanes)))
        speed = rng.uniform(traffic.slowest_kmh, traffic.fastest_kmh) / KMH
        size = SIZES[int(rng.choice(len(SIZES), p=(0.5, 0.25, 0.15, 0.1)))]
        longest = (traffic.far_m - traffic.near_m) / speed
        start = (
            max(free[lane] - longest, free.get(lane + 100, 0.0)) + traffic.headway_s + rng.exponential(1.0)
        )
        vehicle = _drive_one(traffic, start, speed, size, lane, rng)
        if len(vehicle.time_s) < 2:
            continue
        free[lane], free[lane + 100] = float(vehicle.time_s[-1]) + 1.0, float(vehicle.time_s[0])
        made.append(vehicle)
    return made


def _drive_one(
    traffic: Traffic,
    start: float,
    speed: float,
    size: tuple[float, float, float],
    lane: int,
    rng: np.random.Generator,
) -> Vehicle:
    dt_s = 1 / traffic.fps
    steps = int(3 * (traffic.far_m - traffic.near_m) / speed / dt_s) + 2
    first = np.ceil(start / dt_s)
    gap = np.full(steps, dt_s)
    keep = np.exp(-dt_s / 2.0)
    noise = rng.normal(0, traffic.acceleration_mps2 * np.sqrt(1 - keep**2), steps)
    a = rng.normal(0, traffic.acceleration_mps2)
    v = np.empty(steps)
    for k in range(steps):
        v[k] = speed
        speed = max(speed + a * dt_s, 2.0)
        a = keep * a + noise[k]
    time_s = first * dt_s + np.concatenate([[0.0], np.cumsum(gap[1:])])
    if traffic.uneven:
        time_s = time_s + rng.uniform(-0.5, 0.5, steps) * traffic.uneven * dt_s
    run = np.concatenate([[0.0], np.cumsum((v[1:] + v[:-1]) / 2 * np.diff(time_s))])
    away = lane % 2 == 0
    y = traffic.near_m + run if away else traffic.far_m - run
    inside = (y >= traffic.near_m) & (y <= traffic.far_m)
    return Vehicle(size, traffic.lanes[lane], away, time_s[inside], y[inside], v[inside])


def boxes(camera: Camera, vehicle: Vehicle) -> Float64[np.ndarray, "t 4"]:
    """Box around the vehicle in the picture, whole even where it leaves the frame."""
    w, l, h = vehicle.size_m  # noqa: E741
    corner = np.array([[x, y, z] for x in (-w / 2, w / 2) for y in (0, l) for z in (0, h)])
    place = np.stack(
        [np.full(len(vehicle.y_m), vehicle.lane_m), vehicle.y_m, np.zeros(len(vehicle.y_m))], axis=1
    )
    seen = camera.picture((place[:, None] + corner[None]).reshape(-1, 3)).reshape(-1, 8, 2)
    return np.concatenate([seen.min(axis=1), seen.max(axis=1)], axis=1)


def simulate(camera: Camera, traffic: Traffic, rng: np.random.Generator) -> Driven:
    """Tracks of vehicles as a detector sees them, each vehicle a track, with the true speeds.

    >>> driven = simulate(Camera(), Traffic(vehicles=3), np.random.default_rng(0))
    >>> len(np.unique(driven.tracks.track)), len(driven.speed_mps) == len(driven.tracks)
    (3, True)
    """
    return observe(camera, traffic, drive(traffic, rng), rng)


def observe(camera: Camera, traffic: Traffic, vehicles: list[Vehicle], rng: np.random.Generator) -> Driven:
    """See these vehicles through this camera."""
    parts = []
    lost = _dropped(traffic, vehicles, rng)
    for number, vehicle in enumerate(vehicles, start=1):
        true = boxes(camera, vehicle)
        seen = (rng.random(len(true)) >= traffic.missed) & ~np.isin(
            np.rint(vehicle.time_s * traffic.fps), lost
        )
        seen &= _inside(true, camera.frame_px)
        noisy = true + _noise(traffic, true, vehicle.time_s, rng)
        parts.append(
            (
                np.full(seen.sum(), number),
                vehicle.time_s[seen],
                noisy[seen],
                vehicle.speed_mps[seen],
                true[seen],
            )
        )
    numbers, time_s, noisy, speed, true = (np.concatenate(each) for each in zip(*parts))
    order = np.lexsort((numbers, time_s))
    noisy = np.sort(noisy[order].reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    n = len(order)
    tracks = Tracks(
        track=numbers[order].astype(np.int64),
        time_s=time_s[order],
        xyxy=noisy.astype(np.float32),
        score=np.full(n, 0.9, np.float32),
        label=np.zeros(n, np.int32),
    )
    return Driven(tracks, speed[order], true[order])


def _dropped(traffic: Traffic, vehicles: list[Vehicle], rng: np.random.Generator) -> Int64[np.ndarray, " m"]:
    last = max((float(each.time_s[-1]) for each in vehicles), default=0.0)
    return np.flatnonzero(rng.random(round(last * traffic.fps) + 2) < traffic.dropped)


def _inside(xyxy: Float64[np.ndarray, "n 4"], frame_px: tuple[int, int]) -> Bool[np.ndarray, " n"]:
    return np.asarray((xyxy[:, :2] > 1).all(axis=1) & (xyxy[:, 2:] < np.array(frame_px) - 1).all(axis=1))


def _noise(
    traffic: Traffic,
    true: Float64[np.ndarray, "n 4"],
    time_s: Float64[np.ndarray, " n"],
    rng: np.random.Generator,
) -> Float64[np.ndarray, "n 4"]:
    size = np.tile(true[:, 2:] - true[:, :2], 2)
    made = rng.normal(0, traffic.jitter, size.shape)
    if traffic.drift:
        drift = rng.normal(0, traffic.drift, 4)
        for k in range(len(size)):
            if k:
                keep = np.exp(-(time_s[k] - time_s[k - 1]) / traffic.drift_s)
                drift = keep * drift + rng.normal(0, traffic.drift * np.sqrt(1 - keep**2), 4)
            made[k] += drift
    return np.asarray(made * size)


def detections(driven: Driven, times_s: Float64[np.ndarray, " t"]) -> list[tuple[float, Detections]]:
    """The same without who is who: what a tracker gets, frame by frame; empty where nothing was seen."""
    tracks = driven.tracks
    start, end = np.searchsorted(tracks.time_s, [times_s - 1e-6, times_s + 1e-6])
    return [
        (float(t), Detections(tracks.xyxy[a:b], tracks.score[a:b], tracks.label[a:b]))
        for t, a, b in zip(times_s, start, end)
    ]


def bumped(camera: Camera, *, pitch_rad: float = 0.0, pan_px: float = 0.0) -> Camera:
    """The camera after somebody ran into its mast: tilted, or turned by so many pixels.

    >>> round(bumped(Camera(yaw_rad=0), pan_px=10).yaw_rad, 5)
    0.00667
    """
    turned = camera.yaw_rad + float(np.arctan(pan_px / camera.focal_px))
    return replace(camera, pitch_rad=camera.pitch_rad + pitch_rad, yaw_rad=turned)
