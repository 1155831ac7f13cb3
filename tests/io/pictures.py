"""Small picture files for tests."""

from pathlib import Path

import numpy as np

from okulo.io.images import encode_jpeg, encode_png


def write_picture(path: Path, seed: int = 0, *, size: tuple[int, int] = (16, 12)) -> Path:
    """A file of noise, (width, height), different for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.write_bytes(encode_jpeg(image) if path.suffix == ".jpg" else encode_png(image))
    return path


def fill(root: Path, *names: str) -> Path:
    """A folder of such pictures, all different."""
    for seed, name in enumerate(names):
        write_picture(root / name, seed)
    return root
