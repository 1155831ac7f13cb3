"""Small pictures of a few looks, their table, and what embeds them without a network."""

from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.table import Items
from okulo.curate.descriptor import LENGTH, describe
from okulo.io.images import encode_png
from okulo.io.tables import write_items
from okulo.search.pictures import Seeing

COLOURS = {"red": (200, 40, 40), "green": (40, 170, 60), "blue": (40, 60, 200)}


def see(model: str = "descriptor", crop: str = "none") -> Seeing:
    """What the command line gives, with a name that tests can change."""
    return Seeing(
        f"{model} 1", LENGTH, lambda images: np.stack([describe(each) for each in images]), model, crop
    )


def paint(colour: str, seed: int, px: int = 48) -> np.ndarray:
    """A disc of this colour on white, a little different for every seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:px, :px]
    middle = px / 2 + rng.uniform(-4, 4, 2)
    disc = (x - middle[0]) ** 2 + (y - middle[1]) ** 2 < (px / 3 + rng.uniform(-3, 3)) ** 2
    image = np.full((px, px, 3), 255, np.uint8)
    image[disc] = np.clip(np.array(COLOURS[colour]) + rng.integers(-15, 16, 3), 0, 255)
    return image


def make_table(root: Path, each: int = 8, name: str = "items.parquet") -> Path:
    """`each` pictures of every colour in `root/p`, labels and splits; gives the table."""
    (root / "p").mkdir(parents=True, exist_ok=True)
    rows = []
    for colour in COLOURS:
        for i in range(each):
            path = root / "p" / f"{colour}-{i}.png"
            path.write_bytes(encode_png(paint(colour, i)))
            rows.append((f"{colour}{i}", f"p/{path.name}", colour, "test" if i % 4 == 3 else "train"))
    frame = pl.DataFrame(rows, schema=["id", "path", "label", "split"], orient="row")
    write_items(Items(frame, root), root / name)
    return root / name
