"""A simulator whose truth is known: copies of a picture as they turn up in real data sets.

Every kind draws its strength from `rng`, in the ranges people meet: shifted by up to 15 %,
cropped to 80 % of each side, turned by up to 15°, over- and under-exposed by up to a stop and a half, …
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from jaxtyping import UInt8

from okulo.io.images import decode

Picture = UInt8[np.ndarray, "h w 3"]
Copied = UInt8[np.ndarray, "new_h new_w 3"]

WORDS = ("holiday 2019", "sample", "IMG_0412.JPG", "© somebody", "for sale", "best picture", "12:30", "no. 7")


def shift(image: Picture, rng: np.random.Generator) -> Copied:
    """Move by 5 to 15 % of the size; what comes in is the edge repeated, white or black."""
    height, width = image.shape[:2]
    across, down = rng.uniform(0.05, 0.15, 2) * (width, height) * rng.choice([-1, 1], 2)
    return _warp(image, np.array([[1, 0, across], [0, 1, down]], np.float32), rng)


def crop(image: Picture, rng: np.random.Generator) -> Copied:
    """Keep 80 to 92 % of each side, anywhere in the picture.

    >>> crop(np.zeros((100, 100, 3), np.uint8), np.random.default_rng(0)).shape
    (88, 83, 3)
    """
    height, width = image.shape[:2]
    high, wide = (
        max(1, round(side * share)) for side, share in zip((height, width), rng.uniform(0.8, 0.92, 2))
    )
    top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    return image[top : top + high, left : left + wide].copy()


def rotate(image: Picture, rng: np.random.Generator) -> Copied:
    """Turn by 3 to 15 degrees either way about the centre; corners are filled as `shift` fills."""
    height, width = image.shape[:2]
    degrees = float(rng.uniform(3, 15) * rng.choice([-1, 1]))
    return _warp(image, cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), rng)


def turn(image: Picture, rng: np.random.Generator) -> Copied:
    """Turn by 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(image, int(rng.integers(1, 4))))


def mirror(image: Picture, rng: np.random.Generator) -> Copied:
    """Swap left and right."""
    del rng
    return np.ascontiguousarray(image[:, ::-1])


def overexpose(image: Picture, rng: np.random.Generator) -> Copied:
    """Multiply every value by 1.3 to 1.8; what is over 255 is lost."""
    return _gain(image, float(rng.uniform(1.3, 1.8)))


def underexpose(image: Picture, rng: np.random.Generator) -> Copied:
    """Multiply every value by 0.35 to 0.7."""
    return _gain(image, float(rng.uniform(0.35, 0.7)))


def blur(image: Picture, rng: np.random.Generator) -> Copied:
    """Smooth with a Gaussian of 0.4 to 1 % of the longer side."""
    return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.004, 0.01)) * max(image.shape))


def recompress(image: Picture, rng: np.random.Generator) -> Copied:
    """Store as JPEG of quality 8 to 30 and decode."""
    quality = int(rng.integers(8, 31))
    packed = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return decode(bytes(packed))


def resize(image: Picture, rng: np.random.Generator) -> Copied:
    """Shrink to 25 to 60 % of the size (the shorter side stays 32 pixels or more where it can)."""
    height, width = image.shape[:2]
    share = min(1.0, max(float(rng.uniform(0.25, 0.6)), 32 / min(height, width)))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def caption(image: Picture, rng: np.random.Generator) -> Copied:
    """Write a few words across the picture, or on a bar at its top or foot (8 to 12 % of the height)."""
    image = image.copy()
    height, width = image.shape[:2]
    bar = max(8, round(height * float(rng.uniform(0.08, 0.12))))
    top = int(rng.choice([0, height - bar, rng.integers(0, max(1, height - bar))]))
    ink, paper = ((255, 255, 255), 0) if rng.random() < 0.5 else ((0, 0, 0), 255)
    if rng.random() < 0.6:
        image[top : top + bar] = paper
    return write_words(
        image, str(rng.choice(WORDS)), (round(width * 0.05), top + round(bar * 0.75)), bar * 0.6, ink
    )


def border(image: Picture, rng: np.random.Generator) -> Copied:
    """Put a frame of 3 to 8 % of the size around, in one colour."""
    height, width = image.shape[:2]
    share = float(rng.uniform(0.03, 0.08))
    colour = [0, 0, 0] if rng.random() < 0.4 else rng.integers(0, 256, 3).tolist()
    down, across = max(1, round(height * share)), max(1, round(width * share))
    return cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_CONSTANT, value=colour)


KINDS: Mapping[str, Callable[[Picture, np.random.Generator], Copied]] = {
    "shift": shift,
    "crop": crop,
    "rotate": rotate,
    "turn": turn,
    "mirror": mirror,
    "overexpose": overexpose,
    "underexpose": underexpose,
    "blur": blur,
    "recompress": recompress,
    "resize": resize,
    "caption": caption,
    "border": border,
}


def write_words(
    image: Picture, words: str, at: tuple[int, int], height_px: float, ink: tuple[int, int, int]
) -> Copied:
    """Write on the picture itself: `at` is the foot of the first letter (x, y), in pixels."""
    scale = max(0.2, height_px / 22)  # OpenCV's letters are 22 pixels high at scale 1
    thick = max(1, round(scale * 1.5))
    return cv2.putText(image, words, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thick, cv2.LINE_AA)


def watermark(image: Picture, words: str = "okulo stock pictures") -> Copied:
    """Write the same faint words on any picture: two pictures that share them are not copies."""
    height, width = image.shape[:2]
    layer = write_words(
        image.copy(), words, (round(width * 0.08), round(height * 0.55)), height * 0.07, (255, 255, 255)
    )
    return cv2.addWeighted(image, 0.4, layer, 0.6, 0)


def _gain(image: Picture, gain: float) -> Copied:
    return (image.astype(np.float32) * gain).clip(0, 255).round().astype(np.uint8)


def _warp(image: Picture, matrix: np.ndarray, rng: np.random.Generator) -> Copied:
    height, width = image.shape[:2]
    fill = int(rng.integers(3))
    mode = cv2.BORDER_REPLICATE if fill == 0 else cv2.BORDER_CONSTANT
    value = [255] * 3 if fill == 1 else [0] * 3
    return cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=value
    )
