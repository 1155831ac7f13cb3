"""From pictures to vectors: the main object cut out if that is asked for, then embedded, on all cores."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from okulo.core.errors import BadInput
from okulo.core.nouns import Detections
from okulo.core.protocols import Image
from okulo.core.vectors import Embedded
from okulo.io.images import decode

CROPS = ("none", "object", "attention")
"""Beside these, a detector's model file."""
BATCH = 16
LOOKED_AT_PX = 128
MARGIN = 0.04
LEAST_SHARE = 0.02
"""An object that covers less of the picture is taken for a speck, and nothing is cut."""


@dataclass(frozen=True)
class Seeing:
    """Gives vectors for pictures; `name` changes whenever the vectors would."""

    name: str
    length: int
    predict: Callable[[Sequence[Image]], Float32[np.ndarray, "n d"]]
    file: str = ""
    """Where the model is."""
    crop: str = "none"
    cutter: Callable[[Image], Image] | None = None
    """Cuts the main object out of a picture, where a detector does."""

    def images(self, images: Sequence[Image]) -> Float32[np.ndarray, "n d"]:
        """Embed decoded pictures."""
        if not images:
            return np.zeros((0, self.length), np.float32)
        return self.predict([self.cutter(each) if self.cutter else cut(each, self.crop) for each in images])

    def files(self, files: Sequence[Path], workers: int) -> Iterator[Embedded]:
        """Embed files in order; one that cannot be read is an answer with `error`."""
        pool = ThreadPoolExecutor(workers, thread_name_prefix="okulo-see")
        waiting: deque[Future[list[Embedded]]] = deque()
        try:
            for start in range(0, len(files), BATCH):
                waiting.append(pool.submit(self._some, files[start : start + BATCH]))
                if len(waiting) > workers + 1:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _some(self, files: Sequence[Path]) -> list[Embedded]:
        images: list[Image] = []
        errors: list[str | None] = []
        for file in files:
            try:
                images.append(decode(file.read_bytes()))
                errors.append(None)
            except OSError as error:
                errors.append(f"cannot be read ({error.strerror})")
            except (BadInput, ValueError) as error:  # ValueError: a NUL in a file's name
                errors.append(str(error))
        vectors = iter(self.images(images))
        return [Embedded(None, error) if error else _checked(next(vectors)) for error in errors]


def _checked(vector: Float32[np.ndarray, " d"]) -> Embedded:
    if not np.isfinite(vector).all() or not vector.any():
        return Embedded(None, "the model gives no finite vector for it")
    return Embedded(vector)


def main_object(image: UInt8[np.ndarray, "h w 3"], found: Detections) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Cut out the object that is large and sure (score × area), with a little room; none found: all of it.

    >>> box = Detections(np.float32([[20, 30, 60, 70]]), np.float32([0.9]), np.int32([0]))
    >>> main_object(np.zeros((100, 100, 3), np.uint8), box).shape
    (48, 48, 3)
    """
    height, width = image.shape[:2]
    room = round(MARGIN * max(height, width))
    area = (found.xyxy[:, 2] - found.xyxy[:, 0]) * (found.xyxy[:, 3] - found.xyxy[:, 1])
    if not len(found) or not (area * found.score).max() > 0:
        return image
    x0, y0, x1, y1 = found.xyxy[int((area * found.score).argmax())].tolist()
    left, top = max(0, int(x0) - room), max(0, int(y0) - room)
    right, bottom = min(width, int(np.ceil(x1)) + room), min(height, int(np.ceil(y1)) + room)
    return np.ascontiguousarray(image[top:bottom, left:right])


def cut(image: UInt8[np.ndarray, "h w 3"], crop: str) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Cut the main object out of a picture, or nothing."""
    if crop == "none":
        return image
    left, top, right, bottom = object_box(image)
    return np.ascontiguousarray(image[top:bottom, left:right])


def object_box(image: UInt8[np.ndarray, "h w 3"]) -> tuple[int, int, int, int]:
    """Find what stands out from the border: (left, top, right, bottom), pixels, with a little room around.

    The border's median colour is the background; what differs from it (Otsu's threshold on the distance in
    Lab) is the object. A picture without a plain border is left whole.

    >>> page = np.full((100, 100, 3), 255, np.uint8)
    >>> page[20:60, 30:70] = 0
    >>> object_box(page)
    (26, 16, 74, 64)
    """
    height, width = image.shape[:2]
    scale = min(1.0, LOOKED_AT_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    lab = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB).astype(
        np.float32
    )
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    apart = np.linalg.norm(lab - np.median(border, axis=0), axis=2)
    grey = np.minimum(apart, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    mask = grey > max(12.0, threshold / 2)
    rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if mask.mean() < LEAST_SHARE or rim.mean() > 0.5:
        return 0, 0, width, height
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    room = round(MARGIN * max(height, width))
    x0, x1 = int(columns[0] * width / size[0]), int(np.ceil((columns[-1] + 1) * width / size[0]))
    y0, y1 = int(rows[0] * height / size[1]), int(np.ceil((rows[-1] + 1) * height / size[1]))
    return max(0, x0 - room), max(0, y0 - room), min(width, x1 + room), min(height, y1 + room)
