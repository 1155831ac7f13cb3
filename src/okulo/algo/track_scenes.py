"""Scenes of moving boxes whose tracks are known: to try a tracker on, and to measure it by."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from okulo.core.nouns import Detections, Tracks


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What goes on, and what a detector makes of it."""

    objects: int = 50
    seconds: float = 20.0
    fps: float = 25.0
    width_px: int = 1920
    height_px: int = 1080
    speed_px: float = 150.0
    """Typical speed per second."""
    turn_px: float = 60.0
    """Typical change of speed in a second."""
    jitter: float = 0.03
    """Standard deviation of a detected side, in box sizes."""
    missed: float = 0.03
    """Share of visible objects that are not detected."""
    covered: float = 0.7
    """From this share hidden behind a nearer object on, nothing is detected; the score falls before."""
    invented: float = 0.5
    """False detections a frame."""
    dropped: float = 0.0
    """Share of frames that never come."""


def simulate(scene: Scene, rng: np.random.Generator) -> tuple[Tracks, list[tuple[float, Detections]]]:
    """Let boxes move; gives the truth, and what a detector saw of it frame by frame.

    >>> truth, frames = simulate(Scene(objects=2, seconds=1), np.random.default_rng(0))
    >>> len(truth), len(frames), frames[0][0]
    (50, 25, 0.0)
    """
    n, t = scene.objects, round(scene.seconds * scene.fps)
    path = _paths(scene, t, rng)
    depth = rng.uniform(0.4, 1.0, n)  # 1 is nearest; nearer boxes are larger and lie over others
    size = depth[:, None] * rng.uniform(40, 90, (n, 1)) * np.stack([np.ones(n), rng.uniform(0.8, 2.2, n)], 1)
    label = rng.integers(0, 3, n).astype(np.int32)
    time_s = np.flatnonzero(rng.random(t) >= scene.dropped) / scene.fps
    frames, true = [], []
    for now in time_s:
        centre = path[round(now * scene.fps)]
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
        hidden = _hidden(boxes, depth)
        frames.append((float(now), _detect(scene, boxes, hidden, label, rng)))
        true.append(boxes)
    xyxy = np.concatenate(true).astype(np.float32)
    truth = Tracks(
        track=np.tile(np.arange(1, n + 1), len(time_s)),
        time_s=np.repeat(time_s, n),
        xyxy=xyxy,
        score=np.ones(len(xyxy), np.float32),
        label=np.tile(label, len(time_s)),
    )
    return truth, frames


def _paths(scene: Scene, t: int, rng: np.random.Generator) -> Float64[np.ndarray, "t n 2"]:
    """Centres that wander with a speed of their own and turn back at the edges."""
    n, dt_s = scene.objects, 1 / scene.fps
    room = np.array([scene.width_px, scene.height_px], float)
    place, speed = rng.uniform(0.05, 0.95, (n, 2)) * room, rng.normal(0, scene.speed_px / np.sqrt(2), (n, 2))
    made = np.empty((t, n, 2))
    for k in range(t):
        made[k] = place
        speed += rng.normal(0, scene.turn_px * np.sqrt(dt_s), (n, 2))
        speed *= 1 - 0.1 * dt_s
        place = place + speed * dt_s
        out = (place < 0) | (place > room)
        speed[out] *= -1
        place = place.clip(0, room)
    return made


def _hidden(boxes: Float64[np.ndarray, "n 4"], depth: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Largest share of each box that lies behind one nearer box."""
    low, high = (
        np.maximum(boxes[:, None, :2], boxes[None, :, :2]),
        np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]),
    )
    both = (high - low).clip(0).prod(axis=2) * (depth[None] > depth[:, None])
    return np.asarray(both.max(axis=1, initial=0.0) / (boxes[:, 2:] - boxes[:, :2]).prod(axis=1))


def _detect(
    scene: Scene, boxes: Float64[np.ndarray, "n 4"], hidden: Float64[np.ndarray, " n"], label: np.ndarray,
    rng: np.random.Generator,
) -> Detections:  # fmt: skip
    seen: Bool[np.ndarray, " n"] = (rng.random(len(boxes)) >= scene.missed) & (hidden < scene.covered)
    side = np.sqrt((boxes[seen, 2:] - boxes[seen, :2]).prod(axis=1))[:, None]
    found = boxes[seen] + rng.normal(0, scene.jitter / np.sqrt(2), (seen.sum(), 4)) * side
    score = rng.normal(0.85, 0.08, seen.sum()) - 0.7 * hidden[seen]
    extra = rng.poisson(scene.invented)
    corner = rng.uniform(0, 1, (extra, 2)) * [scene.width_px, scene.height_px]
    false = np.concatenate([corner, corner + rng.uniform(20, 120, (extra, 2))], axis=1)
    return Detections(
        xyxy=np.concatenate([np.sort(found.reshape(-1, 2, 2), axis=1).reshape(-1, 4), false]).astype(
            np.float32
        ),
        score=np.concatenate([score, rng.uniform(0.05, 0.7, extra)]).clip(0.01, 0.99).astype(np.float32),
        label=np.concatenate([label[seen], rng.integers(0, 3, extra)]).astype(np.int32),
    )
