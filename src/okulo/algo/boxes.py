"""Boxes: conversions, overlap and suppression. A box is xyxy in pixels: x0 ≤ x1 and y0 ≤ y1.

A pixel is a square of side 1: the box of the pixel at column 3, row 5 is 3, 5, 4, 6.
"""

import numpy as np
from jaxtyping import Float32, Int32, Int64

from okulo.algo.boxes_kernels import overlaps, soften, sound, suppress
from okulo.core.checks import check_array, check_finite, check_same_length
from okulo.core.errors import BadInput

NO_LABELS = np.empty(0, np.int32)


def from_xywh(boxes: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
    """Turn left, top, width, height (COCO) into xyxy.

    >>> from_xywh(np.float32([[1, 2, 3, 4]]))
    array([[1., 2., 4., 6.]], dtype=float32)
    """
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def to_xywh(boxes: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
    """Turn xyxy into left, top, width, height.

    >>> to_xywh(np.float32([[1, 2, 4, 6]]))
    array([[1., 2., 3., 4.]], dtype=float32)
    """
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def from_centre(boxes: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
    """Turn centre x, centre y, width, height (YOLO) into xyxy.

    >>> from_centre(np.float32([[3, 4, 2, 6]]))
    array([[2., 1., 4., 7.]], dtype=float32)
    """
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def to_centre(boxes: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
    """Turn xyxy into centre x, centre y, width, height.

    >>> to_centre(np.float32([[2, 1, 4, 7]]))
    array([[3., 4., 2., 6.]], dtype=float32)
    """
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def clip(boxes: Float32[np.ndarray, "n 4"], height: int, width: int) -> Float32[np.ndarray, "n 4"]:
    """Cut boxes at the edges of a picture; one that lies outside becomes empty.

    >>> clip(np.float32([[-5, 3, 50, 12]]), 10, 40)
    array([[ 0.,  3., 40., 10.]], dtype=float32)
    """
    inside: np.ndarray = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    return inside


def area(boxes: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, " n"]:
    """Area of each box, square pixels.

    >>> area(np.float32([[2, 1, 4, 7]]))
    array([12.], dtype=float32)
    """
    product: np.ndarray = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return product


def iou(a: Float32[np.ndarray, "n 4"], b: Float32[np.ndarray, "m 4"]) -> Float32[np.ndarray, "n m"]:
    """Intersection over union of every pair of boxes; two empty boxes give 0.

    >>> iou(np.float32([[0, 0, 2, 2]]), np.float32([[1, 1, 3, 3]])).round(3)
    array([[0.143]], dtype=float32)
    """
    check_array("a", a, np.float32, (None, 4))
    check_array("b", b, np.float32, (None, 4))
    shares = np.empty((len(a), len(b)), np.float32)
    overlaps(a, b, shares)
    return shares


def nms(
    xyxy: Float32[np.ndarray, "n 4"], score: Float32[np.ndarray, " n"], threshold: float
) -> Int64[np.ndarray, " k"]:
    """Non-maximum suppression, whatever the class: rows kept, best first.

    A box goes if its overlap with a better one that is kept is above the threshold. The same rows in the same
    order as `torchvision.ops.nms`; boxes of equal score in the order given.

    >>> nms(np.float32([[0, 0, 9, 9], [0, 0, 9, 10], [20, 0, 29, 9]]), np.float32([0.5, 0.9, 0.7]), 0.5)
    array([1, 2])
    """
    return _suppress(xyxy, score, NO_LABELS, threshold)


def nms_by_class(
    xyxy: Float32[np.ndarray, "n 4"],
    score: Float32[np.ndarray, " n"],
    label: Int32[np.ndarray, " n"],
    threshold: float,
) -> Int64[np.ndarray, " k"]:
    """Non-maximum suppression within each class: rows kept, best first.

    >>> both = np.float32([[0, 0, 9, 9], [0, 0, 9, 9]])
    >>> nms_by_class(both, np.float32([0.5, 0.9]), np.int32([0, 1]), 0.5)
    array([1, 0])
    """
    check_array("label", label, np.int32, (None,))
    check_same_length(xyxy=xyxy, label=label)
    return _suppress(xyxy, score, label, threshold)


def _suppress(
    xyxy: Float32[np.ndarray, "n 4"],
    score: Float32[np.ndarray, " n"],
    label: Int32[np.ndarray, " m"],
    threshold: float,
) -> Int64[np.ndarray, " k"]:
    _check(xyxy, score, threshold)
    if not len(score):
        return np.empty(0, np.int64)
    kept: np.ndarray = suppress(
        np.ascontiguousarray(xyxy), np.ascontiguousarray(score), label, float(threshold)
    )
    return kept


def soft_nms(
    xyxy: Float32[np.ndarray, "n 4"],
    score: Float32[np.ndarray, " n"],
    label: Int32[np.ndarray, " n"],
    *,
    sigma: float = 0.5,
    threshold: float = 0.3,
    least: float = 0.001,
) -> tuple[Int64[np.ndarray, " k"], Float32[np.ndarray, " k"]]:
    """Soft suppression (Bodla et al. 2017, arXiv 1704.04503) within each class: rows by new score, and it.

    Nothing is thrown away at once: a score is lowered by how much the box overlaps with better ones.

    Args:
        xyxy: the boxes, pixels.
        score: how sure each is.
        label: the class of each.
        sigma: a score is multiplied by exp(-overlap² / sigma); 0: by 1 - overlap above the threshold instead.
        threshold: for `sigma` 0.
        least: boxes whose score falls below are left out.

    >>> two = np.float32([[0, 0, 2, 1], [0, 0, 1, 1]])
    >>> rows, score = soft_nms(two, np.float32([0.9, 0.8]), np.int32([0, 0]))
    >>> rows, score.round(4)  # 0.8 · exp(-0.5² / 0.5)
    (array([0, 1]), array([0.9   , 0.4852], dtype=float32))
    """
    _check(xyxy, score, threshold)
    check_array("label", label, np.int32, (None,))
    check_same_length(xyxy=xyxy, label=label)
    if sigma < 0:
        raise BadInput("sigma", wanted="a number ≥ 0", got=sigma)
    rows, scores = soften(xyxy, score, label, float(sigma), float(threshold), np.float32(least))
    return rows, scores


def _check(xyxy: np.ndarray, score: np.ndarray, threshold: float) -> None:
    check_array("xyxy", xyxy, np.float32, (None, 4))
    check_array("score", score, np.float32, (None,))
    check_same_length(xyxy=xyxy, score=score)
    if not 0 <= threshold <= 1:
        raise BadInput("threshold", wanted="an overlap, 0 to 1", got=threshold)
    if sound(xyxy, score):
        return
    check_finite("xyxy", xyxy)
    check_finite("score", score)
    if (xyxy[:, :2] > xyxy[:, 2:]).any():
        row = int((xyxy[:, :2] > xyxy[:, 2:]).any(axis=1).argmax())
        raise BadInput("xyxy", f"x0 > x1 or y0 > y1 in row {row}", hint="is this xywh? see boxes.from_xywh")
