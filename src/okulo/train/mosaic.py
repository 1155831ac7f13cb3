"""Pictures that change together with their boxes: zoomed, moved, mirrored, and put together of four.

Mosaic: YOLO v4 (Bochkovskiy et al. 2020, arXiv 2004.10934, sec. 3.3). Here every quarter shows a part of a
picture that fills it, so that no grey is learnt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from okulo.core.model import GREY

Pixels = UInt8[np.ndarray, "H W 3"]
SEEN = 0.3
"""A box stays if this share of it is still in the picture; what stays is its visible part."""
SMALLEST_PX = 3.0
"""And if both sides are at least so long."""


@dataclass(frozen=True)
class Labelled:
    """A picture of the network's size, its boxes (xyxy, px) and classes; `window` is what is no grey."""

    image: Pixels
    boxes: Float32[np.ndarray, "n 4"]
    labels: Int64[np.ndarray, " n"]
    window: tuple[int, int, int, int]
    """Top, left, height, width."""


@dataclass(frozen=True, kw_only=True)
class Warp:
    """How pictures are changed."""

    zoom: float = 0.0
    """By up to the factor 1 + zoom, larger or smaller."""
    shift: float = 0.0
    """By up to this share of the sides."""
    flip: bool = False

    @property
    def idle(self) -> bool:
        """Whether nothing is changed."""
        return not (self.zoom or self.shift or self.flip)


def affine(said: Labelled, warp: Warp, rng: np.random.Generator) -> Labelled:
    """Zoom about the middle, move and mirror one picture; what is new at its edges is grey."""
    if warp.idle:
        return said
    height, width = said.image.shape[:2]
    scale = float(np.exp(rng.uniform(-1, 1) * np.log1p(warp.zoom)))
    mirror = -1.0 if warp.flip and rng.random() < 0.5 else 1.0
    by_x, by_y = rng.uniform(-warp.shift, warp.shift, 2) * [width, height]
    matrix = np.array(
        [
            [mirror * scale, 0, width / 2 * (1 - mirror * scale) + by_x],
            [0, scale, height / 2 * (1 - scale) + by_y],
        ]
    )
    image = np.full_like(said.image, GREY)
    top, left, high, wide = said.window
    _lay(said.image, said.window, matrix, image)
    boxes, labels = moved(said.boxes, said.labels, matrix, (0, 0, width, height))
    corner = np.array([[left, top, left + wide, top + high]], np.float32)
    x0, y0, x1, y1 = _through(corner, matrix)[0].clip(0, [width, height, width, height]).round().astype(int)
    return Labelled(image, boxes, labels, (int(y0), int(x0), int(y1 - y0), int(x1 - x0)))


def mosaic(four: Sequence[Labelled], warp: Warp, rng: np.random.Generator) -> Labelled:
    """Put four pictures together around a random point."""
    height, width = four[0].image.shape[:2]
    x, y = round(rng.uniform(0.3, 0.7) * width), round(rng.uniform(0.3, 0.7) * height)
    quarters = ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height))
    image = np.empty_like(four[0].image)
    boxes, labels = [], []
    for said, (x0, y0, x1, y1) in zip(four, quarters):
        top, left, high, wide = said.window
        fill = max((x1 - x0) / wide, (y1 - y0) / high)
        scale = fill * float(np.exp(rng.uniform(0, 1) * np.log1p(2 * warp.zoom)))
        mirror = -1.0 if warp.flip and rng.random() < 0.5 else 1.0
        loose = np.array([wide * scale - (x1 - x0), high * scale - (y1 - y0)]).clip(0)
        begin = np.array([x0, y0]) - rng.uniform(0, 1, 2) * loose  # of the window's corner
        first = left + wide if mirror < 0 else left
        matrix = np.array(
            [[mirror * scale, 0, begin[0] - mirror * scale * first], [0, scale, begin[1] - scale * top]]
        )
        inside = matrix.copy()
        inside[:, 2] -= [x0, y0]
        part = np.full((y1 - y0, x1 - x0, 3), GREY, np.uint8)
        _lay(said.image, said.window, inside, part)
        image[y0:y1, x0:x1] = part
        mine = moved(said.boxes, said.labels, matrix, (x0, y0, x1, y1))
        boxes.append(mine[0])
        labels.append(mine[1])
    return Labelled(image, np.concatenate(boxes), np.concatenate(labels), (0, 0, height, width))


def _lay(
    image: Pixels, window: tuple[int, int, int, int], matrix: Float64[np.ndarray, "2 3"], out: np.ndarray
) -> None:
    """Draw the window of a picture, moved by the matrix, into `out`, which stays where it does not reach."""
    top, left, high, wide = window
    # cv2 counts pixels at their middles, boxes at their edges: half a pixel there, half a pixel back
    shift = matrix[:, :2] @ np.array([left + 0.5, top + 0.5]) + matrix[:, 2] - 0.5
    part = np.ascontiguousarray(image[top : top + high, left : left + wide])
    cv2.warpAffine(
        part,
        np.column_stack([matrix[:, :2], shift]),
        (out.shape[1], out.shape[0]),
        dst=out,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def moved(
    boxes: Float32[np.ndarray, "n 4"],
    labels: Int64[np.ndarray, " n"],
    matrix: Float64[np.ndarray, "2 3"],
    room: tuple[int, int, int, int],
) -> tuple[Float32[np.ndarray, "m 4"], Int64[np.ndarray, " m"]]:
    """Move boxes by a matrix and cut them at a room's edges (xyxy); those hardly seen any more go.

    >>> twice = np.array([[2.0, 0, 0], [0, 2.0, 0]])
    >>> both = np.float32([[1, 1, 4, 4], [9, 9, 12, 12]])
    >>> boxes, labels = moved(both, np.array([5, 6]), twice, (0, 0, 20, 20))
    >>> boxes.tolist(), labels.tolist()  # of the second only a ninth would be left
    ([[2.0, 2.0, 8.0, 8.0]], [5])
    """
    there = _through(boxes, matrix)
    x0, y0, x1, y1 = room
    cut = there.clip([x0, y0, x0, y0], [x1, y1, x1, y1]).astype(np.float32)
    sides, before = cut[:, 2:] - cut[:, :2], there[:, 2:] - there[:, :2]
    share = sides.prod(axis=1) / np.maximum(before.prod(axis=1), 1e-9)
    kept = (share >= SEEN) & (sides >= SMALLEST_PX).all(axis=1)
    return cut[kept], labels[kept]


def _through(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Boxes around the moved corners (the matrix zooms and mirrors, it does not turn)."""
    ends = boxes.reshape(-1, 2, 2).astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(np.sort(ends, axis=1).reshape(-1, 4))
