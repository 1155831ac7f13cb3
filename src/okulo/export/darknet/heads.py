"""The layers that detect, of YOLO v1 (detection), v2 (region) and v3 (yolo): from numbers to candidates.

Sources: Redmon et al. 2016 (arXiv 1506.02640), Redmon & Farhadi 2017 (1612.08242) and 2018 (1804.02767);
where these leave something open, src/{detection,region,yolo}_layer.c of pjreddie/darknet.
"""

from collections.abc import Callable, Mapping

import numpy as np

from okulo.export.darknet.cfg import Section
from okulo.export.darknet.layers import Head, Layer, Net

MANY = 100_000


def yolo(net: Net, section: Section, before: Layer) -> Layer:
    """Detect as v3: anchors in pixels of the network's input, each class a yes or no of its own."""
    if section.whole("new_coords", 0):
        raise section.refuse("new_coords (Scaled-YOLOv4) is not read")
    pairs = _anchors(section, section.whole("num", 1))
    mask = [int(each) for each in section.numbers("mask")] or list(range(len(pairs)))
    if not all(0 <= each < len(pairs) for each in mask):
        raise section.refuse(f"mask: expected numbers of {len(pairs)} anchors, got {mask}")
    anchors = pairs[mask] / np.array([net.size[1], net.size[0]], np.float32)
    rows = _rows(net, section, before, len(mask))
    scale = float(section.number("scale_x_y", 1))
    place = net.do("Sigmoid", _part(net, rows, 0, 2))
    if scale != 1:
        place = net.do("Sub", net.do("Mul", place, scale), 0.5 * (scale - 1))
    boxes = _boxes(net, before.shape, place, _part(net, rows, 2, 4), anchors)
    sure = net.do("Sigmoid", _part(net, rows, 4, 5))
    classes = net.do("Sigmoid", _part(net, rows, 5, MANY))
    net.heads.append(Head(boxes, net.do("Mul", classes, sure), _classes(section)))
    return before


def region(net: Net, section: Section, before: Layer) -> Layer:
    """Detect as v2: anchors in cells, classes that exclude each other."""
    if "tree" in section.options or "map" in section.options:
        raise section.refuse("trees of classes (YOLO9000) are not read")
    for name in ("background",):
        if section.whole(name, 0):
            raise section.refuse(f"{name} is not read")
    if section.whole("coords", 4) != 4:
        raise section.refuse("coords: expected 4 (a box), masks are not read")
    pairs = _anchors(section, section.whole("num", 1))
    anchors = pairs / np.array([before.shape[2], before.shape[1]], np.float32)
    rows = _rows(net, section, before, len(pairs))
    place = net.do("Sigmoid", _part(net, rows, 0, 2))
    boxes = _boxes(net, before.shape, place, _part(net, rows, 2, 4), anchors)
    sure = net.do("Sigmoid", _part(net, rows, 4, 5))
    classes = _part(net, rows, 5, MANY)
    classes = (
        net.do("Softmax", classes, axis=2) if section.whole("softmax", 0) else net.do("Sigmoid", classes)
    )
    net.heads.append(Head(boxes, net.do("Mul", classes, sure), _classes(section)))
    return before


def detection(net: Net, section: Section, before: Layer) -> Layer:
    """Detect as v1: all classes of all cells, then all confidences, then all boxes, w and h as roots."""
    side, count, classes = section.whole("side", 7), section.whole("num", 1), _classes(section)
    wanted = side * side * (classes + 5 * count)
    if before.length != wanted:
        raise section.refuse(
            f"expected {wanted} numbers ({side}² × ({classes} + 5 × {count})), got {before.length}"
        )
    do, cells = net.do, side * side
    flat = do("Flatten", before.name)
    first = do("Reshape", _slice(net, flat, 0, cells * classes), [-1, cells, 1, classes])
    if section.whole("softmax", 0):
        first = do("Softmax", first, axis=3)
    sure = _slice(net, flat, cells * classes, cells * (classes + count))
    scores = do("Mul", first, do("Reshape", sure, [-1, cells, count, 1]))
    corners = do("Reshape", _slice(net, flat, cells * (classes + count), wanted), [-1, cells, count, 4])
    y, x = np.divmod(np.arange(cells), side)
    grid = do.constant(np.stack([x, y], axis=1).astype(np.float32)[:, None])
    centre = do("Div", do("Add", _slice(net, corners, 0, 2, 3), grid), float(side))
    sides = _slice(net, corners, 2, 4, 3)
    if section.whole("sqrt", 0):
        sides = do("Mul", sides, sides)
    boxes = do("Reshape", _corners(net, centre, sides, 3), [-1, cells * count, 4])
    net.heads.append(Head(boxes, do("Reshape", scores, [-1, cells * count, classes]), classes))
    return before


def _classes(section: Section) -> int:
    classes = section.whole("classes", 20)
    if classes < 1:
        raise section.refuse(f"classes: expected 1 or more, got {classes}")
    return classes


def _anchors(section: Section, count: int) -> np.ndarray:
    """Width and height of each anchor."""
    said = section.numbers("anchors") or [0.5] * (2 * count)
    if len(said) < 2 * count:
        raise section.refuse(f"anchors: expected {count} pairs, got {len(said)} numbers")
    return np.array(said[: 2 * count], np.float32).reshape(count, 2)


def _rows(net: Net, section: Section, before: Layer, count: int) -> str:
    """Lay the numbers out as [n, candidates, 5 + classes], anchor after anchor, each cell by cell."""
    channels, height, width = before.shape
    each = 5 + _classes(section)
    if channels != count * each:
        raise section.refuse(
            f"expected {count * each} channels ({count} anchors × (5 + {each - 5} classes)), got {channels}"
        )
    parts = net.do("Reshape", before.name, [-1, count, each, height * width])
    turned = net.do("Transpose", parts, perm=[0, 1, 3, 2])
    return net.do("Reshape", turned, [-1, count * height * width, each])


def _slice(net: Net, name: str, first: int, last: int, axis: int = 1) -> str:
    return net.do("Slice", name, [first], [last], [axis])


def _part(net: Net, rows: str, first: int, last: int) -> str:
    return _slice(net, rows, first, last, 2)


def _boxes(net: Net, shape: tuple[int, int, int], place: str, sides: str, anchors: np.ndarray) -> str:
    """Boxes as shares: the place within a cell and its cell, e to the sides times the anchor."""
    _, height, width = shape
    y, x = np.divmod(np.arange(height * width), width)
    grid = np.tile(np.stack([x, y], axis=1), (len(anchors), 1)).astype(np.float32)[None]
    do, size = net.do, net.do.constant(np.array([width, height], np.float32))
    centre = do("Div", do("Add", place, do.constant(grid)), size)
    spread = np.repeat(anchors, height * width, axis=0).astype(np.float32)[None]
    return _corners(net, centre, do("Mul", do("Exp", sides), do.constant(spread)), 2)


def _corners(net: Net, centre: str, sides: str, axis: int) -> str:
    half = net.do("Mul", sides, 0.5)
    return net.do("Concat", net.do("Sub", centre, half), net.do("Add", centre, half), axis=axis)


HEADS: Mapping[str, Callable[[Net, Section, Layer], Layer]] = {
    "yolo": yolo, "region": region, "detection": detection,
}  # fmt: skip
