"""A simulated set for detectors: shapes drawn on photos, whose boxes are known. Written as a COCO set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from okulo.core.errors import BadInput
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_json
from okulo.io.images import SUFFIXES, encode_jpeg, read_image

Photo = UInt8[np.ndarray, "_ _ 3"]
FINER = 4
"""Shapes are drawn so many times larger, so that their edges are soft."""
PARTS = {"train": 0.7, "val": 0.15, "test": 0.15}
ENOUGH = 10
"""From so many photos on, each split has photos of its own; with fewer, a part of each photo."""


def _around(radii: Sequence[float]) -> Float64[np.ndarray, "n 2"]:
    angle = np.arange(len(radii)) * 2 * np.pi / len(radii)
    return np.asarray(np.array(radii)[:, None] * np.stack([np.sin(angle), -np.cos(angle)], axis=1))


CROSS = np.array([[-1, -3], [1, -3], [1, -1], [3, -1], [3, 1], [1, 1]], float) / 3
OUTLINES: Mapping[str, Float64[np.ndarray, "n 2"]] = {
    "circle": _around([1] * 64),
    "triangle": _around([1] * 3),
    "square": _around([1] * 4),
    "star": _around([1, 0.42] * 5),
    "cross": np.concatenate([CROSS, -CROSS]),
    "ring": _around([1] * 64),
}
"""Outline of each shape within a circle of radius 1; the hole of a ring has radius 0.55."""
HOLE = 0.55


@dataclass(frozen=True)
class Scene:
    """One picture, and what is on it."""

    image: Photo
    boxes: tuple[dict[str, float | str], ...]
    """x0, y0, x1, y1 in pixels and label, as a table's column `boxes`."""


def draw_shapes(photo: Photo, side: int, rng: np.random.Generator, most: int = 6) -> Scene:
    """Draw 1 to `most` shapes on a random square cut of a photo; none lies behind others for more than half.

    Shapes are a tenth to two fifths of the side, turned, coloured at random, some see-through, some filled
    with another part of the photo, which makes them hard to see.

    >>> scene = draw_shapes(np.zeros((90, 120, 3), np.uint8), 64, np.random.default_rng(0))
    >>> scene.image.shape, sorted(scene.boxes[0])
    ((64, 64, 3), ['label', 'x0', 'x1', 'y0', 'y1'])
    """
    image = _cut(photo, side, rng)
    boxes: list[dict[str, float | str]] = []
    for _ in range(int(rng.integers(1, most + 1))):
        label = list(OUTLINES)[int(rng.integers(len(OUTLINES)))]
        radius = side * float(np.exp(rng.uniform(np.log(0.05), np.log(0.2))))
        outline = _turned(OUTLINES[label], radius, rng)
        room = np.ptp(outline, axis=0)
        outline += rng.uniform(0, side - room) - outline.min(axis=0)
        (x0, y0), (x1, y1) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
        box: dict[str, float | str] = {"x0": x0, "y0": y0, "x1": x1, "y1": y1, "label": label}
        if any(_hidden(old, box) > 0.5 or _hidden(box, old) > 0.5 for old in boxes):
            continue
        _paint(image, label, outline, _filling(photo, side, rng), rng.choice([1.0, 0.75, 0.55]))
        boxes.append(box)
    noisy = image + rng.normal(0, rng.uniform(0, 8), image.shape)
    return Scene(noisy.clip(0, 255).astype(np.uint8), tuple(boxes))


def _cut(photo: Photo, side: int, rng: np.random.Generator) -> np.ndarray:
    height, width = photo.shape[:2]
    room = max(1, int(min(height, width) * rng.uniform(0.4, 1.0)))
    top, left = int(rng.integers(height - room + 1)), int(rng.integers(width - room + 1))
    part = photo[top : top + room, left : left + room]
    return np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA))


def _turned(outline: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Stretch and turn an outline."""
    angle, stretch = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(-0.25, 0.25))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(outline * radius @ turn * [stretch, 1 / stretch])


def _hidden(box: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Share of a box that another one covers."""
    wide = min(box["x1"], other["x1"]) - max(box["x0"], other["x0"])
    high = min(box["y1"], other["y1"]) - max(box["y0"], other["y0"])
    area = (box["x1"] - box["x0"]) * (box["y1"] - box["y0"])
    return float(max(wide, 0.0) * max(high, 0.0) / area)


def _filling(photo: Photo, side: int, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.3:
        return _cut(photo, side, rng)[::-1]
    slope = np.linspace(0.75, 1.25, side)[:, None, None] if rng.random() < 0.5 else 1.0
    return np.clip(rng.uniform(0, 255, 3) * slope * np.ones((side, side, 1)), 0, 255).astype(np.uint8)


def _paint(image: np.ndarray, label: str, outline: np.ndarray, filling: np.ndarray, strength: float) -> None:
    side = len(image)
    mask = np.zeros((side * FINER, side * FINER), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * FINER).astype(np.int32)], 255)
    if label == "ring":
        middle = outline.mean(axis=0)
        hole = middle + (outline - middle) * HOLE
        cv2.fillPoly(mask, [np.rint(hole * FINER).astype(np.int32)], 0)
    share = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)[:, :, None] / 255.0 * strength
    image[:] = np.rint(image * (1 - share) + filling * share).astype(np.uint8)


def read_photos(folder: Path | None) -> list[Photo]:
    """Read a folder's photos, or the two that come with scikit-learn (CC BY 2.0, see its README)."""
    if folder is None:
        from sklearn.datasets import load_sample_images

        return [np.asarray(each) for each in load_sample_images().images]
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    photos = []
    for path in paths:
        try:
            photo = read_image(path)
        except BadInput:  # a broken file among photos is no reason to stop
            continue
        if min(photo.shape[:2]) >= 32:
            photos.append(_smaller(photo))
    if not photos:
        raise BadInput(str(folder), wanted=f"photos ({', '.join(SUFFIXES)})", got="none that can be read")
    return photos


def _smaller(photo: Photo, longest: int = 1280) -> Photo:
    scale = longest / max(photo.shape[:2])
    if scale >= 1:
        return photo
    size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))


def share_out(photos: Sequence[Photo], rng: np.random.Generator) -> dict[str, list[Photo]]:
    """Give each split photos of its own, or, of few, strips of its own: nothing is in two splits.

    >>> parts = share_out([np.zeros((10, 100, 3), np.uint8)], np.random.default_rng(0))
    >>> {split: photos[0].shape[1] for split, photos in parts.items()}
    {'train': 70, 'val': 15, 'test': 15}
    """
    ends = np.cumsum(list(PARTS.values()))
    if len(photos) < ENOUGH:
        cuts = [[0, *(round(end * photo.shape[1]) for end in ends)] for photo in photos]
        return {
            split: [photo[:, cut[i] : cut[i + 1]] for photo, cut in zip(photos, cuts)]
            for i, split in enumerate(PARTS)
        }
    order = rng.permutation(len(photos))
    cut = [0, *(round(end * len(photos)) for end in ends)]
    return {split: [photos[k] for k in order[cut[i] : cut[i + 1]]] for i, split in enumerate(PARTS)}


def write_shapes(
    folder: Path,
    photos: Sequence[Photo],
    *,
    count: int = 600,
    side: int = 224,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[int, int]:
    """Write pictures and COCO files into a folder; gives how many files and bytes.

    `count` is of all splits together: 70 % train, 15 % val, 15 % test.
    """
    rng = np.random.default_rng(seed)
    sources = share_out(photos, rng)
    files = size = 0
    ends = [0, *(round(end * count) for end in np.cumsum(list(PARTS.values())))]
    for split, many in zip(PARTS, np.diff(ends).tolist()):
        said: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
        (folder / split).mkdir(parents=True, exist_ok=True)
        for number in progress(range(many), label=split):
            scene = draw_shapes(sources[split][int(rng.integers(len(sources[split])))], side, rng)
            data = encode_jpeg(scene.image)
            name = f"{split}/{number:05d}.jpg"
            (folder / name).write_bytes(data)
            files, size = files + 1, size + len(data)
            _annotate(said, name, scene)
        categories = [{"id": i + 1, "name": label} for i, label in enumerate(OUTLINES)]
        write_json(folder / "annotations" / f"instances_{split}.json", {**said, "categories": categories})
        files += 1
    return files, size


def _annotate(said: dict[str, list[dict[str, Any]]], name: str, scene: Scene) -> None:
    height, width = scene.image.shape[:2]
    image = len(said["images"]) + 1
    said["images"].append({"id": image, "file_name": name, "width": width, "height": height})
    for box in scene.boxes:
        x0, y0, x1, y1 = (round(float(box[side]), 2) for side in ("x0", "y0", "x1", "y1"))
        said["annotations"].append(
            {
                "id": len(said["annotations"]) + 1,
                "image_id": image,
                "category_id": list(OUTLINES).index(str(box["label"])) + 1,
                "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
                "area": round((x1 - x0) * (y1 - y0), 2),
                "iscrowd": 0,
            }
        )
