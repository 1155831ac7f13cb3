"""What a detector learns from: pictures decoded once to the network's size, and their boxes there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64, UInt8

from okulo.core.errors import BadInput
from okulo.core.model import Preprocess
from okulo.core.nouns import Detections
from okulo.core.protocols import Progress, silent
from okulo.core.table import Items
from okulo.evaluate.boxes import truth_of
from okulo.train.augment import Change
from okulo.train.data import Chosen, Row, decode_rows, hold_out
from okulo.train.devices import World
from okulo.train.feed import pixels_of
from okulo.train.loop import Batch
from okulo.train.mosaic import Labelled, Warp, affine, mosaic

LAST = 0.1
"""In this last share of the epochs no picture is put together of four: the network sees them as they come."""


@dataclass(frozen=True)
class Boxed:
    """Pictures at the network's size; their boxes there and in their own pixels."""

    pixels: UInt8[np.ndarray, "n H W 3"]
    boxes: tuple[Float32[np.ndarray, "_ 4"], ...]
    """Of each picture, xyxy in the pixels of the network's input."""
    labels: tuple[Int64[np.ndarray, " _"], ...]
    windows: tuple[tuple[int, int, int, int], ...]
    """Where the picture itself lies in the input: top, left, height, width."""
    truth: tuple[Detections, ...]
    """The same boxes in the pixels of the picture as it is stored."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of it."""

    def __len__(self) -> int:
        return len(self.pixels)

    def one(self, row: int) -> Labelled:
        """A picture with its boxes."""
        return Labelled(self.pixels[row], self.boxes[row], self.labels[row], self.windows[row])


def choose_boxed(items: Items, val_share: float, seed: int) -> Chosen:
    """Take the items of `train` and `val` that were looked through for boxes; without val hold a part out.

    An item whose `boxes` are empty teaches what is none; one where they are missing (null) is left out, and
    so is one that does not say its size.
    """
    lacks = [name for name in ("boxes", "width", "height") if name not in items.frame.columns]
    if lacks:
        raise BadInput(
            "table", f"has no column {', '.join(lacks)}", hint="`okulo scan` reads COCO and YOLO sets"
        )
    if "split" not in items.frame.columns:
        items = items.add(pl.DataFrame({"split": ["train"] * len(items)}))
    used = items.where(pl.col("split").is_in(["train", "val"]))
    good = pl.all_horizontal(pl.col(name).is_not_null() for name in ("boxes", "width", "height"))
    findings: list[Row] = [
        (path, "unlabelled", 0.5, "has no boxes, or no size") for path in used.where(~good).frame["path"]
    ]
    used = used.where(good)
    train, val = used.where(pl.col("split") == "train"), used.where(pl.col("split") == "val")
    if not len(val) and val_share > 0:
        alike = Items(train.frame.with_columns(label=pl.lit("")), train.root)
        held = hold_out(alike, val_share, np.random.default_rng(seed))
        train, val = train.where(pl.lit(pl.Series(~held))), train.where(pl.lit(pl.Series(held)))
    names = train.frame["boxes"].explode().struct.field("label").drop_nulls().unique()
    classes = tuple(sorted(names))
    if not classes:
        raise BadInput("column boxes", wanted="boxes in train", got=f"{len(train)} pictures without any")
    return Chosen(train, val, classes, findings)


def decode_boxed(
    items: Items,
    classes: tuple[str, ...],
    preprocess: Preprocess,
    store: Path | None = None,
    progress: Progress = silent,
) -> tuple[Boxed, list[Row]]:
    """Decode every picture once and bring its boxes to the network's input; what cannot be read is a finding.

    Boxes are cut at the picture's edges; those without area, and of classes that train has not, go.
    """
    pictures, findings = decode_rows(items, preprocess, store, progress)
    frame = items.frame[pictures.labels.tolist()]
    truths, boxes, labels, windows, sizes = [], [], [], [], []
    strange = empty = 0
    for said, high, wide in frame.select("boxes", "height", "width").iter_rows():
        truth, unknown = _inside(said, classes, int(high), int(wide))
        strange += unknown
        empty += len(said) - unknown - len(truth)
        window = preprocess.placed(int(high), int(wide))
        scale = np.array([window[3] / wide, window[2] / high] * 2, np.float32)
        shift = np.array([window[1], window[0]] * 2, np.float32)
        truths.append(truth)
        boxes.append((truth.xyxy * scale + shift).astype(np.float32))
        labels.append(truth.label.astype(np.int64))
        windows.append(window)
        sizes.append((int(high), int(wide)))
    if strange:
        findings.append(("val", "unknown class", 0.5, f"train has not the classes of {strange} boxes"))
    if empty:
        findings.append(("table", "bad-box", 0.5, f"{empty} boxes have no area within their picture"))
    made = Boxed(pictures.pixels, tuple(boxes), tuple(labels), tuple(windows), tuple(truths), tuple(sizes))
    return made, findings


def _inside(
    said: list[dict[str, float | str]], classes: tuple[str, ...], high: int, wide: int
) -> tuple[Detections, int]:
    """A table's boxes, cut at the picture's edges; and how many are of unknown classes."""
    cut = [
        {
            **box,
            "x0": min(max(float(box["x0"]), 0.0), float(wide)),
            "y0": min(max(float(box["y0"]), 0.0), float(high)),
            "x1": min(max(float(box["x1"]), 0.0), float(wide)),
            "y1": min(max(float(box["y1"]), 0.0), float(high)),
        }
        for box in said
    ]
    good = [box for box in cut if float(box["x1"]) > float(box["x0"]) and float(box["y1"]) > float(box["y0"])]
    flat = [box for box in cut if box not in good]
    truth, unknown = truth_of(good, classes)
    return truth, unknown + sum(box["label"] not in classes for box in flat)


@dataclass(frozen=True, kw_only=True)
class BoxFeed:
    """How pictures with boxes become batches; the same for every epoch but the last, which have no mosaic."""

    data: Boxed
    preprocess: Preprocess
    world: World
    batch: int
    epochs: int
    seed: int
    warp: Warp = field(default_factory=Warp)
    mosaic: float = 0.0
    changes: tuple[Change, ...] = ()

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch: `pixels`; and of all their boxes `picture`, `boxes` (shares), `labels`.

        Each process takes its part of every batch; all parts together are the batch one process would take.
        """
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.data))
        part = self.batch // self.world.size
        rng = np.random.default_rng([self.seed, epoch, 1 + self.world.rank])
        draw = torch.Generator().manual_seed(int(rng.integers(2**62)))
        share = 0.0 if epoch >= round(self.epochs * (1 - LAST)) and epoch > 0 else self.mosaic
        for start in range(0, len(order) - self.batch + 1, self.batch):
            first = start + part * self.world.rank
            yield self._batch(order[first : first + part], share, rng, draw)

    def _batch(
        self, rows: Int64[np.ndarray, " b"], share: float, rng: np.random.Generator, draw: torch.Generator
    ) -> Batch:
        made = [self._one(int(row), share, rng) for row in rows]
        planes = torch.from_numpy(np.stack([each.image for each in made])).permute(0, 3, 1, 2)
        planes = planes.to(self.world.device)
        for change in self.changes:
            planes = change(planes, draw)
        height, width = self.preprocess.size
        counts = [len(each.boxes) for each in made]
        boxes = np.concatenate([each.boxes for each in made]) / np.array([width, height] * 2, np.float32)
        return {
            "pixels": pixels_of(planes.permute(0, 2, 3, 1), self.preprocess),
            "picture": torch.from_numpy(np.repeat(np.arange(len(made)), counts)).to(self.world.device),
            "boxes": torch.from_numpy(boxes.astype(np.float32)).to(self.world.device),
            "labels": torch.from_numpy(np.concatenate([each.labels for each in made])).to(self.world.device),
        }

    def _one(self, row: int, share: float, rng: np.random.Generator) -> Labelled:
        if rng.random() < share:
            others = rng.integers(len(self.data), size=3)
            return mosaic([self.data.one(k) for k in (row, *others.tolist())], self.warp, rng)
        return affine(self.data.one(row), self.warp, rng)
