"""What is remembered of a picture to compare it with others: a small copy, a thumbnail, local features."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from okulo.curate.duplicates.edges import edge_map
from okulo.curate.duplicates.trim import content_box

FEATURE_PX = 192
"""Longer side of the picture local features are found on; a smaller picture is enlarged to it."""
SMALL_PX = 96
"""Longer side of the small copy of the whole picture."""
FOCUS_PX = 128
"""Longer side of the copy of what is left when frames and empty margins are cut off."""
THUMB_PX = 24
FEATURES = 160


@dataclass(frozen=True)
class View:
    """What a picture or the part of it where something is to be seen looks like."""

    small: UInt8[np.ndarray, "h w 3"]
    """Small copy."""
    thumb: Float32[np.ndarray, " t"]
    """Grey thumbnail of 24 × 24, mean 0 and length 1 (all 0 for a flat picture), row by row."""


@dataclass(frozen=True)
class Sketch:
    """A picture, remembered in about 100 kB."""

    whole: View
    """All of it, the longer side of the copy at 96 pixels."""
    focus: View
    """Without frames and empty margins, at 128 pixels."""
    at: Float32[np.ndarray, "f 2"]
    """Where the local features are (x, y), in pixels of the focused copy."""
    features: Float32[np.ndarray, "f 128"]
    """RootSIFT of each (length 1), so that a product is a similarity."""
    edges: Float32[np.ndarray, "m m"]
    """Map of the edges of all of it."""
    size: tuple[float, float]
    """Width and height of the picture, pixels."""
    box: tuple[float, float, float, float]
    """Where the focus lies in it: left, top, right, bottom, pixels."""
    sharpness: float
    """Variance of the Laplacian of the feature-sized grey picture (grey levels squared)."""
    pixels: str
    """Hash of size and pixels: equal only for pictures that are equal as seen."""

    @property
    def cut(self) -> float:
        """Share of the picture that is frame and margin."""
        left, top, right, bottom = self.box
        return 1 - (right - left) * (bottom - top) / (self.size[0] * self.size[1])


def sketch(image: UInt8[np.ndarray, "h w 3"]) -> Sketch:
    """Look at a picture once, so that it can be compared many times.

    >>> seen = sketch(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    >>> seen.whole.small.shape, seen.focus.small.shape, seen.features.shape[1]
    ((72, 96, 3), (96, 128, 3), 128)
    """
    whole = _scaled(image, FEATURE_PX)
    grey = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY)
    height, width = image.shape[:2]
    left, top, right, bottom = content_box(image)
    cut = (right - left, bottom - top) != (width, height)
    focus = _scaled(image[top:bottom, left:right], FEATURE_PX) if cut else whole
    focused = cv2.cvtColor(focus, cv2.COLOR_RGB2GRAY) if cut else grey
    small = _scaled(focus, FOCUS_PX)
    at, features = _local_features(focused)
    ratio = np.array([small.shape[1] / focus.shape[1], small.shape[0] / focus.shape[0]], np.float32)
    seen = _scaled(whole, SMALL_PX)
    return Sketch(
        View(seen, _thumbnail(grey)),
        View(small, _thumbnail(focused)),
        (at + 0.5) * ratio - 0.5,
        features,
        edge_map(seen),
        (float(width), float(height)),
        (float(left), float(top), float(right), float(bottom)),
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
