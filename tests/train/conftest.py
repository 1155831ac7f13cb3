"""A small real folder: 64 pictures of four colours, a quarter held out, as PNG files with a table."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from okulo.core.table import Items
from okulo.io.images import encode_png
from okulo.io.tables import write_items

COLOURS = {"red": (220, 40, 40), "green": (40, 220, 40), "blue": (40, 40, 220), "grey": (128, 128, 128)}


def write_pictures(folder: Path, *, n: int = 64, side: int = 12) -> Path:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        label = list(COLOURS)[i % 4]
        noise = rng.normal(0, 40, (side, side, 3))
        image = (np.array(COLOURS[label]) + noise).clip(0, 255).astype(np.uint8)
        path = folder / label / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(image))
        split = "val" if i >= n * 3 // 4 else "train"
        rows.append({"id": f"{i:032x}", "path": str(path), "label": label, "split": split})
    frame = pl.DataFrame(rows).with_columns(
        width=pl.lit(side, dtype=pl.Int32), height=pl.lit(side, dtype=pl.Int32)
    )
    write_items(Items(frame, folder), folder / "items.parquet")
    return folder / "items.parquet"


@pytest.fixture(scope="session")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"))
