"""A picture of the outlines over the mask or the photo."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from okulo.apps.footprints.pipeline import Made
from okulo.apps.footprints.raster import Mask
from okulo.core.errors import BadInput
from okulo.io.files import write_aside
from okulo.io.images import encode_png, read_image

LONGEST = 4000
"""A preview's longer side, px, at most."""
COLOURS = {
    "regular": (0, 160, 120),
    "already regular": (0, 160, 120),
    "circle": (60, 110, 220),
    "curved": (230, 150, 30),
    "simplified": (230, 150, 30),
    "kept": (215, 60, 60),
}


def backdrop(
    mask: Mask | None, picture: Path | None, made: Made
) -> tuple[UInt8[np.ndarray, "h w 3"], float, np.ndarray]:
    """Give what to draw on, how many of its pixels a pixel of the mask is, and where the mask begins."""
    import cv2

    if picture is not None:
        image = read_image(picture)
        if mask is not None and image.shape[:2] != (mask.height, mask.width):
            raise BadInput(
                str(picture),
                wanted=f"a picture of {mask.width} × {mask.height}",
                got=f"{image.shape[1]} × {image.shape[0]}",
            )
        scale = min(1.0, LONGEST / max(image.shape[:2]))
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return image, scale, np.zeros(2)
    if mask is None:
        points = made.pixels.points if len(made.pixels.points) else np.array([[0.0, 0.0], [1.0, 1.0]])
        low, size = points.min(axis=0) - 5, np.ptp(points, axis=0) + 10
        scale = min(8.0, LONGEST / float(size.max()))
        return np.full((*(size[::-1] * scale).astype(int), 3), 255, np.uint8), scale, low
    scale = min(4.0, LONGEST / max(mask.height, mask.width))
    out = np.zeros((max(1, round(mask.height * scale)), max(1, round(mask.width * scale))), np.uint8)
    full = mask.scale if mask.kind == "probability" else 1.0
    for row in range(0, mask.height, 2048):  # a strip at a time: a raster may be larger than memory
        high = min(2048, mask.height - row)
        strip = mask.read(row, 0, high, mask.width).astype(np.float32)
        strip = (strip > 0).astype(np.float32) if mask.kind == "labels" else strip / full
        top, bottom = round(row * scale), max(round(row * scale) + 1, round((row + high) * scale))
        small = cv2.resize(
            strip,
            (out.shape[1], bottom - top),
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST,
        )
        out[top:bottom] = (255 - 110 * small.clip(0, 1)).astype(np.uint8)[: len(out[top:bottom])]
    return np.repeat(out[:, :, None], 3, axis=2), scale, np.zeros(2)


def draw_preview(path: Path, made: Made, mask: Mask | None, picture: Path | None) -> None:
    """Draw outlines, coloured by what became of them: green regular, blue circle, orange simplified, red
    kept."""
    import cv2

    if path.suffix.lower() != ".png":
        raise BadInput(str(path), wanted="a name that ends in .png", got=path.suffix or "none")
    image, scale, low = backdrop(mask, picture, made)
    image = np.ascontiguousarray(image)
    for index, status in enumerate(made.footprints.columns["status"]):
        rings = [
            np.round((ring - low) * scale * 16 - 8).astype(np.int32) for ring in made.pixels.polygon(index)
        ]
        cv2.polylines(image, rings, True, COLOURS[str(status)], 2 if scale >= 1 else 1, cv2.LINE_AA, 4)
        if scale >= 2:
            for x, y in np.concatenate(rings).tolist():
                cv2.circle(image, (x, y), 36, COLOURS[str(status)], -1, cv2.LINE_AA, 4)
    with write_aside(path) as aside:
        aside.write_bytes(encode_png(image))
