"""Pictures of a simulated road: grey asphalt with marks, and vehicles as coloured blocks.

Simple, but real pixels: a detector that looks for colour finds the vehicles, so that the whole chain can be
tried.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float32, Int32, UInt8

from okulo.apps.speed.simulate import Camera, Traffic, Vehicle
from okulo.core.protocols import Answer, Image

PAINTS = ((200, 40, 40), (40, 90, 210), (230, 160, 20), (40, 160, 80), (150, 60, 190))
TOP, FRONT, LEFT, RIGHT = (1, 3, 7, 5), (0, 4, 5, 1), (0, 1, 3, 2), (4, 5, 7, 6)
"""Sides of a block as corners; its back is never seen."""


def empty_road(camera: Camera, traffic: Traffic, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    """The road without anybody: grass with texture, asphalt, lane marks, posts."""
    width, height = camera.frame_px
    rough = rng.normal(0, 1, (height // 8 + 1, width // 8 + 1)).astype(np.float32)
    texture = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    image = np.empty((height, width, 3), np.float32)
    image[:] = (96, 120, 84)
    left, right = min(traffic.lanes) - 1.9, max(traffic.lanes) + 1.9
    near, far = 8.0, traffic.far_m + 60
    _fill(image, camera, [(left, near), (right, near), (right, far), (left, far)], (110, 110, 114))
    for x in (left + 0.15, right - 0.15):
        _fill(
            image, camera, [(x - 0.1, near), (x + 0.1, near), (x + 0.1, far), (x - 0.1, far)], (225, 225, 225)
        )
    for x in (np.array(traffic.lanes)[1:] + np.array(traffic.lanes)[:-1]) / 2:
        for y in np.arange(near, far, 9.0):
            _fill(
                image,
                camera,
                [(x - 0.1, y), (x + 0.1, y), (x + 0.1, y + 3), (x - 0.1, y + 3)],
                (225, 225, 225),
            )
    for y in np.arange(near + 5, far, 15.0):  # posts beside the road: what a registration can hold on to
        foot = np.array([[right + 2, y, 0], [right + 2, y, 1.1], [left - 3, y, 0], [left - 3, y, 3.5]])
        a, b, c, d = (tuple(int(v) for v in p) for p in np.rint(camera.picture(foot)))
        cv2.line(image, a, b, (240, 240, 240), max(1, round(0.15 * camera.focal_px / y)))
        cv2.line(image, c, d, (70, 60, 50), max(1, round(0.4 * camera.focal_px / y)))
    image += texture[..., None] * 9
    return image.clip(0, 255).astype(np.uint8)


def _fill(
    image: np.ndarray, camera: Camera, ground: Sequence[tuple[float, float]], colour: tuple[int, int, int]
) -> None:
    seen = camera.picture(np.array([[x, y, 0.0] for x, y in ground]))
    cv2.fillPoly(image, [np.rint((seen - 0.5) * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def render(
    camera: Camera, traffic: Traffic, vehicles: Sequence[Vehicle], rng: np.random.Generator, *, noise: float
    = 3.0, background: UInt8[np.ndarray, "h w 3"] | None = None,
) -> Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]:  # fmt: skip
    """Draw the drive frame by frame, from time 0 until the last has gone; far vehicles first."""
    road = empty_road(camera, traffic, rng) if background is None else background
    frames = round(max(float(each.time_s[-1]) for each in vehicles) * traffic.fps) + 1
    when = [np.rint(each.time_s * traffic.fps).astype(int) for each in vehicles]
    for k in range(frames):
        image = road.copy()
        here = [(i, int(np.searchsorted(each, k))) for i, each in enumerate(when) if each[0] <= k <= each[-1]]
        for i, row in sorted(here, key=lambda each: -vehicles[each[0]].y_m[each[1]]):
            _block(image, camera, vehicles[i], row, PAINTS[i % len(PAINTS)])
        if noise:
            grain = rng.integers(-128, 128, image.shape[:2], np.int8) * np.float32(noise / 74)
            image = cv2.add(image, cv2.merge([grain] * 3), dtype=cv2.CV_8U)
        yield k / traffic.fps, image


def _block(
    image: np.ndarray, camera: Camera, vehicle: Vehicle, row: int, paint: tuple[int, int, int]
) -> None:
    w, l, h = vehicle.size_m  # noqa: E741
    corner = np.array([[x, y, z] for x in (-w / 2, w / 2) for y in (0, l) for z in (0, h)])
    seen = camera.picture(corner + np.array([vehicle.lane_m, float(vehicle.y_m[row]), 0.0]))
    sides = (LEFT, RIGHT) if camera.x_m > vehicle.lane_m else (RIGHT, LEFT)  # the nearer one is drawn last
    for face, shade in zip((*sides, FRONT, TOP), (0.65, 0.65, 0.9, 1.1)):
        colour = tuple(int(min(255, shade * value)) for value in paint)
        points = np.rint((seen[list(face)] - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(image, [points], colour, cv2.LINE_AA, 4)


class ColourDetector:
    """Finds the painted blocks by their colour: a stand-in for a network, for tests and the demo.

    One class, `car`; its answers have the names of a detector's model file.
    """

    classes = ("car",)

    def __init__(self, least_px: int = 60) -> None:
        self.least_px = least_px

    def predict(self, batch: Sequence[Image]) -> list[Answer]:
        """Boxes around what is coloured."""
        return [self._one(image) for image in batch]

    def _one(self, image: Image) -> Answer:
        r, g, b = cv2.split(cv2.medianBlur(np.ascontiguousarray(image), 3))
        vivid = cv2.subtract(cv2.max(cv2.max(r, g), b), cv2.min(cv2.min(r, g), b))
        painted = cv2.threshold(vivid, 60, 1, cv2.THRESH_BINARY)[1]
        count, _, stats, _ = cv2.connectedComponentsWithStats(painted)
        found = stats[1:count]
        found = found[found[:, cv2.CC_STAT_AREA] >= self.least_px]
        x, y, w, h = found[:, :4].astype(np.float32).T
        boxes: Float32[np.ndarray, "n 4"] = np.stack([x, y, x + w, y + h], axis=1).reshape(-1, 4)
        labels: Int32[np.ndarray, " n"] = np.zeros(len(boxes), np.int32)
        return {"boxes": boxes, "scores": np.full(len(boxes), 0.9, np.float32), "labels": labels}
