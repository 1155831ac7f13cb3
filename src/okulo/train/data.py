"""What a run learns from: which items, and their pictures decoded once to the network's size."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Int64, UInt8

from okulo.core.errors import BadInput
from okulo.core.model import Preprocess
from okulo.core.protocols import Progress, silent
from okulo.core.table import Items
from okulo.io.images import read_image
from okulo.nets.preprocess import as_tensor, resize

Row = tuple[str, str, float, str]
"""A finding: item, kind, severity, reason."""

SIDES = (28, 32, 48, 64, 96, 128, 160, 192, 224)
THREADS = 4


@dataclass(frozen=True)
class Chosen:
    """Items to learn from and to check with, their classes in order, and what was left out and why."""

    train: Items
    val: Items
    classes: tuple[str, ...]
    findings: list[Row]


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures at the network's size, and their classes' numbers."""

    pixels: UInt8[np.ndarray, "n H W 3"]
    labels: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)


def choose_items(items: Items, val_share: float, seed: int) -> Chosen:
    """Take the labelled items of `train` and `val`; without `val`, hold out a part of `train`.

    Items of a class that `train` has not are left out. A table without `split` is all `train`.
    """
    if "label" not in items.frame.columns:
        raise BadInput("table", wanted="a column label", got=", ".join(items.frame.columns))
    if "split" not in items.frame.columns:
        items = items.add(pl.DataFrame({"split": ["train"] * len(items)}))
    used = items.where(pl.col("split").is_in(["train", "val"]))
    nameless = used.where(pl.col("label").is_null()).frame["path"].to_list()
    findings: list[Row] = [(path, "unlabelled", 0.5, "has no label") for path in nameless]
    used = used.where(pl.col("label").is_not_null())
    train, val = used.in_split("train"), used.where(pl.col("split") == "val")
    if not len(val) and val_share > 0:
        held = hold_out(train, val_share, np.random.default_rng(seed))
        train, val = train.where(pl.lit(pl.Series(~held))), train.where(pl.lit(pl.Series(held)))
    classes = tuple(sorted(train.frame["label"].unique()))
    if len(classes) < 2:
        raise BadInput("column label", wanted="two classes or more in train", got=", ".join(classes))
    strange = val.where(~pl.col("label").is_in(classes)).frame
    findings += [
        (path, "unknown class", 0.5, f"train has no {label}")
        for path, label in strange.select("path", "label").iter_rows()
    ]
    return Chosen(train, val.where(pl.col("label").is_in(classes)), classes, findings)


def hold_out(items: Items, share: float, rng: np.random.Generator) -> Bool[np.ndarray, " n"]:
    """Choose about `share` of every class, whole groups of near-duplicates together (column `group`).

    A class keeps at least one group outside.
    """
    frame = items.frame.select("label").with_row_index("row")
    group = items.frame["group"] if "group" in items.frame.columns else pl.Series([None] * len(items))
    # An item without a group is its own: negative numbers do not meet the groups' own.
    own = -1 - pl.Series(np.arange(len(items)))
    frame = frame.with_columns(unit=group.cast(pl.Int64).fill_null(own))
    units = frame.group_by("unit", maintain_order=True).agg(pl.col("label").first(), pl.col("row"))
    held = np.zeros(len(items), dtype=bool)
    for _, part in units.sort("label").group_by("label", maintain_order=True):
        rows = [part["row"][int(i)].to_list() for i in rng.permutation(len(part))]
        wanted = round(share * sum(len(unit) for unit in rows))
        for unit in rows[:-1]:
            if held[[row for each in rows for row in each]].sum() >= wanted:
                break
            held[unit] = True
    return held


def guess_side(items: Items, largest: int = 64) -> int:
    """Guess the network's input side, px: the largest usual one that the median picture fills.

    >>> frame = pl.DataFrame({"id": ["a"], "path": ["a"], "width": [50], "height": [70]})
    >>> small = frame.with_columns(pl.col("width", "height").cast(pl.Int32))
    >>> guess_side(Items(small, Path()))
    48
    """
    known = {"width", "height"} <= set(items.frame.columns)
    short = items.frame.select(pl.min_horizontal("width", "height")).to_series().median() if known else None
    side = float(short) if isinstance(short, int | float) else float(largest)
    return max((s for s in SIDES if s <= min(side, largest)), default=SIDES[0])


def decode_all(
    items: Items,
    classes: Sequence[str],
    preprocess: Preprocess,
    store: Path | None = None,
    progress: Progress = silent,
) -> tuple[Pictures, list[Row]]:
    """Decode and resize every item once, in memory or in the file `store`; unreadable ones are findings."""
    pixels = _room((len(items), *preprocess.size, 3), store)
    number = {name: i for i, name in enumerate(classes)}
    labels: list[int] = []
    findings: list[Row] = []

    def one(path: Path) -> np.ndarray | BadInput:
        try:
            return resize(as_tensor(read_image(path)), preprocess).numpy()
        except BadInput as error:
            return error

    names = items.frame.select("path", "label").iter_rows()
    decoded = _in_threads(one, items.files())
    for (path, label), image in zip(names, progress(decoded, label="decode", total=len(items))):
        if isinstance(image, BadInput):
            findings.append((path, "unreadable", 1.0, str(image)))
        else:
            pixels[len(labels)] = image
            labels.append(number[label])
    return Pictures(pixels[: len(labels)], np.array(labels, dtype=np.int64)), findings


def decode_rows(
    items: Items, preprocess: Preprocess, store: Path | None = None, progress: Progress = silent
) -> tuple[Pictures, list[Row]]:
    """Decode as `decode_all` does; in place of classes, `labels` are the rows of the items."""
    rows = [str(i) for i in range(len(items))]
    frame = items.frame.drop("label", strict=False).with_columns(pl.Series("label", rows, dtype=pl.String))
    return decode_all(Items(frame, items.root), rows, preprocess, store, progress)


def _in_threads(
    one: Callable[[Path], np.ndarray | BadInput], paths: list[Path]
) -> Iterator[np.ndarray | BadInput]:
    waiting = iter(paths)
    with ThreadPoolExecutor(THREADS) as pool:  # decoders let go of Python's lock
        while part := list(islice(waiting, 256)):  # no further ahead: memory stays flat
            yield from pool.map(one, part)


def _room(shape: tuple[int, ...], store: Path | None) -> np.ndarray:
    if store is None:
        return np.empty(shape, dtype=np.uint8)
    store.parent.mkdir(parents=True, exist_ok=True)
    size = int(np.prod(shape))
    try:
        with store.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, size))  # a full disk says so now, not by a crash
    except OSError as error:
        store.unlink(missing_ok=True)
        raise BadInput(
            str(store), f"no room for {size / 1e9:.1f} GB of pictures ({error.strerror})"
        ) from error
    return np.memmap(store, dtype=np.uint8, mode="r+", shape=shape)


def epoch_order(
    labels: Int64[np.ndarray, " n"], seed: int, epoch: int, *, balanced: bool = False
) -> Int64[np.ndarray, " n"]:
    """The order in which an epoch sees the pictures, a function of seed and epoch alone.

    Balanced: every class is drawn equally often, with replacement.

    >>> epoch_order(np.arange(4), 0, 1).tolist() == epoch_order(np.arange(4), 0, 1).tolist()
    True
    """
    rng = np.random.default_rng([seed, epoch])
    if not balanced:
        return rng.permutation(len(labels))
    counts = np.bincount(labels)
    weight = 1 / counts[labels]
    return rng.choice(len(labels), len(labels), p=weight / weight.sum())


def take(pictures: Pictures, rows: Int64[np.ndarray, " b"]) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch: uint8 [b, H, W, 3] and class numbers [b]."""
    return torch.from_numpy(np.ascontiguousarray(pictures.pixels[rows])), torch.from_numpy(
        pictures.labels[rows]
    )
