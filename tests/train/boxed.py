"""An easy set with boxes: bright squares and dark discs, large, on noise."""

from pathlib import Path

import cv2
import numpy as np
import polars as pl

from okulo.core.table import BOX, Items
from okulo.io.images import encode_png
from okulo.io.tables import write_items


def write_boxed(folder: Path, *, n: int = 120, seed: int = 0) -> Path:
    """Write pictures of 80 × 64 px with one or two objects; the last quarter is val."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    boxes, paths = [], []
    for i in range(n):
        image = np.clip(rng.normal(110, 15, (64, 80, 3)), 0, 255).astype(np.uint8)
        mine = []
        for half in range(int(rng.integers(1, 3))):
            side, kind = int(rng.integers(14, 26)), ("disc", "square")[int(rng.integers(2))]
            x, y = int(rng.integers(half * 40, half * 40 + 40 - side)), int(rng.integers(0, 64 - side))
            if kind == "square":
                image[y : y + side, x : x + side] = (240, 230, 80)
            else:
                cv2.ellipse(
                    image, (x + side // 2, y + side // 2), (side // 2, side // 2), 0, 0, 360, (10, 20, 60), -1
                )
            mine.append(
                {"x0": float(x), "y0": float(y), "x1": x + side + 0.0, "y1": y + side + 0.0, "label": kind}
            )
        path = folder / f"{i:03d}.png"
        path.write_bytes(encode_png(image))
        paths.append(str(path))
        boxes.append(mine)
    frame = pl.DataFrame(
        {
            "id": [f"{i:032x}" for i in range(n)],
            "path": paths,
            "width": pl.Series([80] * n, dtype=pl.Int32),
            "height": pl.Series([64] * n, dtype=pl.Int32),
            "split": ["train"] * (n - n // 4) + ["val"] * (n // 4),
            "boxes": pl.Series(boxes, dtype=pl.List(BOX)),
        }
    )
    write_items(Items(frame, folder), folder / "items.parquet")
    return folder / "items.parquet"
