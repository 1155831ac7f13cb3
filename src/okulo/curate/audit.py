"""What a table alone shows to be wrong: copies, contradictions, leaks, odd shapes, boxes, labels, splits."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from okulo.core.table import SPLITS
from okulo.io.examine import examine_header
from okulo.io.walk import Row

KINDS = {
    "unreadable": "no picture, or it cannot be opened; left out",
    "truncated": "the picture ends early or is damaged; left out",
    "empty": "the file has no bytes; left out",
    "huge": "more pixels or bytes than the bound; left out",
    "link-out": "leads out of the folder; left out",
    "broken-link": "a link to nothing; left out",
    "bad-name": "the name is not UTF-8; left out",
    "missing": "named in a list, not there; left out",
    "listed-twice": "named more than once; the first was taken",
    "no-split": "lies beside the train and test folders; left out",
    "contradiction": "identical files with different labels",
    "leak": "identical files in different splits",
    "identical": "the same bytes as another file",
    "small-class": "too few items for every split",
    "unlabelled": "no item of the split has a label",
    "no-label": "without a label, where others have one",
    "relabelled": "the table's label differs from the folder's; the table's was kept",
    "bad-box": "a box that cannot be read; left out",
    "box-outside": "a box that leaves the picture",
    "box-empty": "a box without area",
    "crowd": "boxes of crowds; left out",
    "bad-mask": "the mask does not fit the picture",
    "odd-shape": "very long and narrow",
    "tiny": "very few pixels",
    "blank": "one colour throughout",
}
"""Every kind of finding a scan makes, in words, the gravest first."""


GENERAL = ("small-class", "unlabelled", "crowd")
"""Kinds that are about no single file."""


@dataclass(frozen=True)
class Limits:
    """When a picture is tiny (shorter side, pixels) and when oddly shaped (longer side over shorter)."""

    min_side: int = 8
    max_aspect: float = 8.0


def audit(frame: pl.DataFrame, root: Path, limits: Limits) -> list[Row]:
    """Look a table over; rows are findings (item, kind, severity, reason)."""
    return [
        *_copies(frame),
        *_shapes(frame, limits),
        *_labels(frame),
        *_small_classes(frame),
        *_boxes(frame),
        *_masks(frame, root),
    ]


def _copies(frame: pl.DataFrame) -> list[Row]:
    """Of every set of identical files the first is left in peace, unless labels or splits disagree."""
    said = [name for name in ("label", "split") if name in frame.columns]
    copies = frame.filter(pl.col("id").is_duplicated()).select("id", "path", *said)
    rows: list[Row] = []
    for _, same in copies.sort("path").group_by("id", maintain_order=True):
        first, *others = same["path"].to_list()
        rows += [(path, "identical", 0.4, f"the same bytes as {first}") for path in others]
        for column, kind, severity in (("label", "contradiction", 0.9), ("split", "leak", 0.9)):
            values = sorted(set(same[column].drop_nulls())) if column in said else []
            if len(values) > 1:
                reason = f"identical files have the {column}s {', '.join(values)}"
                rows += [(path, kind, severity, reason) for path in same["path"]]
    return rows


def _shapes(frame: pl.DataFrame, limits: Limits) -> list[Row]:
    short, long = pl.min_horizontal("width", "height"), pl.max_horizontal("width", "height")
    sized = frame.select("path", "width", "height", short.alias("short"), (long / short).alias("aspect"))
    tiny = sized.filter(pl.col("short") < limits.min_side)
    odd = sized.filter((pl.col("aspect") > limits.max_aspect) & (pl.col("short") >= limits.min_side))
    return [
        *((path, "tiny", 0.3, f"{w} × {h} pixels") for path, w, h, _, _ in tiny.iter_rows()),
        *((path, "odd-shape", 0.3, f"{w} × {h} pixels, {a:.0f} : 1") for path, w, h, _, a in odd.iter_rows()),
    ]


def _labels(frame: pl.DataFrame) -> list[Row]:
    """Items without a label where others have one; a split without any is one finding."""
    if "label" not in frame.columns or "labels" in frame.columns:
        return []
    split = pl.col("split") if "split" in frame.columns else pl.lit(None, pl.String)
    without = frame.select("path", "label", split.alias("split"))
    rows: list[Row] = []
    for (name,), part in without.group_by("split", maintain_order=True):
        missing = part.filter(pl.col("label").is_null())
        if len(missing) == len(part):
            where = f"split {name}" if name else "items without a split"
            rows.append((where, "unlabelled", 0.3, f"none of {len(part):,} items has a label"))
        else:
            rows += [(path, "no-label", 0.3, "has no label") for path in missing["path"]]
    return rows


def _small_classes(frame: pl.DataFrame) -> list[Row]:
    """Classes that are missing from a split other classes have."""
    if "split" not in frame.columns or not {"label", "labels"} & set(frame.columns):
        return []
    column = "label" if "label" in frame.columns else "labels"
    pairs = frame.select(pl.col(column).alias("label"), "split")
    pairs = (pairs.explode("label") if column == "labels" else pairs).drop_nulls()
    used = [split for split in SPLITS if split in set(pairs["split"])]
    counted = pairs.group_by("label").agg(
        pl.len().alias("items"), *((pl.col("split") == split).sum().alias(split) for split in used)
    )
    rows: list[Row] = []
    for said in counted.sort("label").iter_rows(named=True):
        lacking = [split for split in used if not said[split]]
        if lacking:
            reason = f"{said['items']:,} items, none of them in {' or '.join(lacking)}"
            rows.append((f"class {said['label']}", "small-class", 0.6, reason))
    return rows


def _boxes(frame: pl.DataFrame) -> list[Row]:
    if "boxes" not in frame.columns:
        return []
    each = (
        frame.select("path", "width", "height", "boxes").explode("boxes").drop_nulls("boxes").unnest("boxes")
    )
    empty = (pl.col("x1") <= pl.col("x0")) | (pl.col("y1") <= pl.col("y0"))
    slack = 1.0  # pixel: rounding of other tools
    outside = (
        (pl.col("x0") < -slack)
        | (pl.col("y0") < -slack)
        | (pl.col("x1") > pl.col("width") + slack)
        | (pl.col("y1") > pl.col("height") + slack)
    )
    rows: list[Row] = []
    for kind, where in (("box-empty", empty), ("box-outside", outside & ~empty)):
        for said in each.filter(where).iter_rows(named=True):
            corners = ", ".join(f"{said[side]:g}" for side in ("x0", "y0", "x1", "y1"))
            size = f"{said['width']} × {said['height']}"
            rows.append((said["path"], kind, 0.6, f"{said['label'] or 'box'} ({corners}) in {size} pixels"))
    return rows


def _masks(frame: pl.DataFrame, root: Path) -> list[Row]:
    if "mask" not in frame.columns:
        return []
    rows: list[Row] = []
    for path, width, height, mask in frame.select("path", "width", "height", "mask").iter_rows():
        size = examine_header(root / mask) if mask is not None else (width, height)
        if size is None:
            rows.append((path, "bad-mask", 0.8, f"its mask {mask} cannot be read"))
        elif size != (width, height):
            reason = f"its mask has {size[0]} × {size[1]} pixels, the picture {width} × {height}"
            rows.append((path, "bad-mask", 0.8, reason))
    return rows
