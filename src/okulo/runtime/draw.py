"""Draw boxes with their names into a picture."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from okulo.core.nouns import Detections

COLOURS = (
    (20, 184, 166), (245, 158, 11), (239, 68, 68), (59, 130, 246), (168, 85, 247), (132, 204, 22),
    (236, 72, 153), (14, 165, 233), (234, 88, 12), (99, 102, 241),
)  # fmt: skip
DARK, LIGHT = (17, 24, 39), (255, 255, 255)


def draw(
    image: UInt8[np.ndarray, "h w 3"], found: Detections, classes: Sequence[str]
) -> UInt8[np.ndarray, "h w 3"]:
    """Copy a picture with its detections drawn in, the surest on top; a class keeps its colour.

    >>> one = Detections(np.float32([[2, 2, 9, 9]]), np.float32([0.9]), np.int32([0]))
    >>> draw(np.zeros((12, 12, 3), np.uint8), one, ["cat"])[9, 5].tolist()
    [20, 184, 166]
    """
    drawn = image.copy()
    height, width = image.shape[:2]
    thick, scale = max(1, round(max(width, height) / 500)), max(0.4, max(width, height) / 1600)
    for row in range(len(found))[::-1]:
        label = int(found.label[row])
        colour = COLOURS[label % len(COLOURS)]
        x0, y0, x1, y1 = (int(each) for each in np.rint(found.xyxy[row]))
        cv2.rectangle(drawn, (x0, y0), (x1, y1), colour, thick, cv2.LINE_8)
        words = _plain(f"{classes[label]} {found.score[row]:.0%}")
        (wide, high), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
        if wide > 3 * width:
            continue
        x, y = max(0, min(x0, width - wide)), max(high + below, y0)
        cv2.rectangle(drawn, (x, y - high - below), (x + wide, y), DARK, -1)
        cv2.putText(
            drawn, words, (x, y - below // 2 - 1), cv2.FONT_HERSHEY_SIMPLEX, scale, LIGHT, thick, cv2.LINE_AA
        )
        cv2.rectangle(drawn, (x0, y0), (x1, y1), colour, thick, cv2.LINE_8)
    return drawn


def _plain(words: str) -> str:
    """OpenCV's letters are ASCII."""
    return words.encode("ascii", "replace").decode()
