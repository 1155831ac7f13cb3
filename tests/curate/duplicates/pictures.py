"""Real drawings from the packed sample, decoded once."""

import io
import zipfile
from functools import cache

import numpy as np

from okulo.io.images import decode
from okulo.io.samples import find_sample


@cache
def drawings(count: int = 12) -> list[np.ndarray]:
    """Different drawings of the clip-art sample, one of every few so that classes mix."""
    with zipfile.ZipFile(io.BytesIO(find_sample("clipart").read_bytes())) as packed:
        names = sorted(name for name in packed.namelist() if name.endswith(".png"))
        return [decode(packed.read(name)) for name in names[:: len(names) // count][:count]]


def photo(height: int = 120, width: int = 160, seed: int = 0) -> np.ndarray:
    """Smooth clouds of colour with some grain: a picture without lines."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3)).astype(np.float32)
    import cv2

    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (smooth + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)
