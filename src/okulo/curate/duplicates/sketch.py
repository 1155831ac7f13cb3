"""What is remembered of a picture to compare it with others: a small copy, a thumbnail, local features."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

FEATURE_PX = 192
"""Longer side of the picture local features are found on; a smaller picture is enlarged to it."""
SMALL_PX = 96
"""Longer side of the small copy that aligned pictures are compared on."""
THUMB_PX = 24
FEATURES = 160


@dataclass(frozen=True)
class Sketch:
    """A picture, remembered in about 50 kB."""

    small: UInt8[np.ndarray, "h w 3"]
    """Copy with its longer side at 96 pixels."""
    thumb: Float32[np.ndarray, " t"]
    """Grey thumbnail of 24 × 24, mean 0 and length 1 (all 0 for a flat picture), row by row."""
    at: Float32[np.ndarray, "f 2"]
    """Where the local features are (x, y), in pixels of the small copy."""
    features: Float32[np.ndarray, "f 128"]
    """RootSIFT of each (length 1), so that a product is a similarity."""
    sharpness: float
    """Variance of the Laplacian of the feature-sized grey picture (grey levels squared)."""
    pixels: str
    """Hash of size and pixels: equal only for pictures that are equal as seen."""


def sketch(image: UInt8[np.ndarray, "h w 3"]) -> Sketch:
    """Look at a picture once, so that it can be compared many times.

    >>> seen = sketch(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    >>> seen.small.shape, seen.features.shape[1]
    ((72, 96, 3), 128)
    """
    medium = _scaled(image, FEATURE_PX)
    grey = cv2.cvtColor(medium, cv2.COLOR_RGB2GRAY)
    small = _scaled(medium, SMALL_PX)
    at, features = _local_features(grey)
    ratio = np.array([small.shape[1] / medium.shape[1], small.shape[0] / medium.shape[0]], np.float32)
    return Sketch(
        small,
        _thumbnail(grey),
        (at + 0.5) * ratio - 0.5,
        features,
        float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        pixel_hash(image),
    )


def pixel_hash(image: UInt8[np.ndarray, "h w 3"]) -> str:
    """Hash what is seen: size and every pixel, whatever the file around them."""
    said = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    said.update(np.ascontiguousarray(image).data)
    return said.hexdigest()


def _scaled(image: UInt8[np.ndarray, "h w 3"], longest_px: int) -> UInt8[np.ndarray, "new_h new_w 3"]:
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(image), size, interpolation=way)


def _thumbnail(grey: UInt8[np.ndarray, "h w"]) -> Float32[np.ndarray, " t"]:
    thumb = cv2.resize(grey, (THUMB_PX, THUMB_PX), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    thumb -= thumb.mean()
    length = float(np.linalg.norm(thumb))
    return thumb / np.float32(length) if length > THUMB_PX else np.zeros_like(thumb)


def _local_features(
    grey: UInt8[np.ndarray, "h w"],
) -> tuple[Float32[np.ndarray, "f 2"], Float32[np.ndarray, "f 128"]]:
    """RootSIFT (Arandjelović & Zisserman 2012) of the strongest `FEATURES` places."""
    finder = cv2.SIFT_create(nfeatures=FEATURES, contrastThreshold=0.02)  # type: ignore[attr-defined]  # its stubs miss it
    places, features = finder.detectAndCompute(grey, None)
    if features is None or not len(features):
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    order = np.argsort([-place.response for place in places], kind="stable")[:FEATURES]
    at = np.array([places[index].pt for index in order], np.float32)
    rooted = features[order] / np.maximum(features[order].sum(axis=1, keepdims=True), 1e-6)
    return at, np.sqrt(rooted).astype(np.float32)
