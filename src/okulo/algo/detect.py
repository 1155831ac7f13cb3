"""From what a detector's network gives to boxes in the picture: threshold, suppression, the way back."""

import numpy as np
from jaxtyping import Float32

from okulo.algo.boxes import clip, nms_by_class
from okulo.algo.detect_kernels import above
from okulo.core.errors import BadInput
from okulo.core.model import CANDIDATES, OVERLAP, THRESHOLD, ModelInfo, Preprocess
from okulo.core.nouns import Detections
from okulo.core.protocols import Answer


def finish(
    boxes: Float32[np.ndarray, "m 4"],
    scores: Float32[np.ndarray, "m k"],
    info: ModelInfo,
    height: int,
    width: int,
) -> Detections:
    """Make one picture's candidates its detections: boxes in its pixels, best first, cut at its edges.

    The same as the last nodes of the model file's graph (`export.detect_graph`).

    Args:
        boxes: candidates, xyxy as shares of the network's `pixels`.
        scores: of each candidate for each class; one candidate can be several classes.
        info: says the threshold, the overlap, and how the picture was laid into `pixels`.
        height: of the picture, pixels.
        width: of the picture, pixels.
    """
    threshold = np.float32(info.threshold.value if info.threshold else THRESHOLD)
    rows, labels = above(np.ascontiguousarray(scores), threshold)
    placed = to_picture(boxes[rows], info.preprocess, height, width)
    chosen = scores[rows, labels]
    kept = nms_by_class(
        placed, chosen, labels, float(np.float32(OVERLAP if info.overlap is None else info.overlap))
    )
    return Detections(clip(placed[kept], height, width), chosen[kept], labels[kept])


def to_picture(
    boxes: Float32[np.ndarray, "m 4"], preprocess: Preprocess, height: int, width: int
) -> Float32[np.ndarray, "m 4"]:
    """Bring boxes from shares of `pixels` to pixels of the picture.

    >>> tall = Preprocess(size=(100, 100), fit="letterbox")
    >>> to_picture(np.array([[0.25, 0, 0.75, 1]], np.float32), tall, 400, 200)
    array([[  0.,   0., 200., 400.]], dtype=float32)
    """
    size = np.array(preprocess.size[::-1], np.float32)
    top, left, high, wide = preprocess.placed(height, width)
    start = np.array([left, top], np.float32)
    if preprocess.filter == "corners":  # Darknet counts half pixels here, though it draws at whole ones
        start = (size - np.array([wide, high], np.float32)) / np.float32(2)
    scale = np.array([width, height], np.float32) / np.array([wide, high], np.float32)
    corners = (boxes.reshape(-1, 2, 2) * size - start) * scale
    placed: np.ndarray = corners.reshape(-1, 4)
    return placed


def finish_answer(answer: Answer, info: ModelInfo, height: int, width: int) -> Answer:
    """Make of a network's outputs for one picture its answer: a detector's candidates become boxes in it."""
    if CANDIDATES[0] not in answer:
        return answer
    found = finish(answer[CANDIDATES[0]], answer[CANDIDATES[1]], info, height, width)
    return {"boxes": found.xyxy, "scores": found.score, "labels": found.label}


def detections_of(answer: Answer) -> Detections:
    """Read the detections of a model's answer.

    >>> len(detections_of({"boxes": np.zeros((0, 4), np.float32), "scores": np.zeros(0, np.float32),
    ...     "labels": np.zeros(0, np.int32)}))
    0
    """
    if not {"boxes", "scores", "labels"} <= answer.keys():
        raise BadInput("answer", wanted="boxes, scores and labels", got=", ".join(answer))
    return Detections(answer["boxes"], answer["scores"], answer["labels"].astype(np.int32))
