"""CSV with a column of paths and one of labels, as the German traffic signs have it (Train.csv, Test.csv).

Other columns come along as the user's own. A box (`Roi.X1`… or `xmin`…) becomes `boxes`; then a picture may
have several rows. Beside Test.csv alone, the class folders of `Train/` give the training part.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.core.table import BOX, COLUMNS, SPLITS
from okulo.io.readers.columns import guess_label, guess_path
from okulo.io.readers.folders import describe
from okulo.io.readers.listing import Listing, split_named, typed
from okulo.io.readers.table import COMPUTED, place
from okulo.io.walk import walk

CORNERS = (
    ("roi.x1", "roi.y1", "roi.x2", "roi.y2"),
    ("x0", "y0", "x1", "y1"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
)
"""Names of a box's columns (xyxy, pixels), lower case."""
SIDES = ("x0", "y0", "x1", "y1")
SEVERAL = ("labels", "tags", "classes")
"""Columns that hold several labels in one cell, separated by | ; or ,"""


def read(source: Path, *, root: Path | None = None, path_column: str = "", label_column: str = "") -> Listing:
    """Read one CSV file, or those that lie at the top of a folder."""
    source = source.resolve()
    top = (root or (source if source.is_dir() else source.parent)).resolve()
    files = find_csv(source) if source.is_dir() else (source,)
    if not files:
        raise BadInput(str(source), "has no CSV file with a column of paths", hint="name it with --csv")
    parts = [_part(path, path_column, label_column) for path in files]
    whole = pl.concat(parts, how="diagonal_relaxed") if len(parts) > 1 else parts[0]
    if whole["split"].null_count() == len(whole):
        whole = whole.drop("split")
    listed = place(_boxed(_natural(whole)), top, "csv")
    return _with_folders(listed) if source.is_dir() else listed


def find_csv(folder: Path) -> tuple[Path, ...]:
    """The CSV files of a folder that list pictures: those named after splits, else the only one.

    Two files for one split, or several without a split, are BadInput: which one is meant?
    """
    usable = [path for path in sorted(folder.glob("*.[ct]sv")) if _lists_pictures(path)]
    named = [path for path in usable if split_of(path.stem)]
    chosen = named or usable
    if len({split_of(path.stem) for path in chosen}) < len(chosen):
        names = ", ".join(path.name for path in chosen)
        raise BadInput(str(folder), f"has several lists of pictures ({names})", hint="choose with --csv")
    return tuple(chosen)


def split_of(stem: str) -> str | None:
    """The split a CSV file is named after.

    >>> split_of("Train"), split_of("GT-final_test"), split_of("Meta")
    ('train', 'test', None)
    """
    return next((split for word in re.split(r"[^a-z]+", stem.lower()) if (split := split_named(word))), None)


def _lists_pictures(path: Path) -> bool:
    try:
        frame = _cells(path)
        column = guess_path(frame.columns, "", path.name)
    except BadInput:  # some other CSV file that happens to lie there
        return False
    said = {name.strip().lower() for name in frame.columns}
    labelled = guess_label(frame.columns, "", path.name) or said & set(SEVERAL)
    sample = frame[column].drop_nulls().head(20).to_list()
    return bool(labelled) and any("." in name or "/" in name for name in sample)


def _cells(path: Path) -> pl.DataFrame:
    """Every cell as text; the delimiter is the one that the first line has most of."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:  # older spreadsheets; every byte is some letter in it
        text = data.decode("latin-1")
    first = text.lstrip().partition("\n")[0]
    separator = max(",;\t|", key=first.count)
    try:
        return pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise BadInput(str(path), f"cannot be read as CSV ({str(error).partition(chr(10))[0]})") from error


def _part(path: Path, path_column: str, label_column: str) -> pl.DataFrame:
    frame = _cells(path)
    named = guess_path(frame.columns, path_column, str(path))
    rest = [name for name in frame.columns if name != named]
    label = guess_label(rest, label_column, str(path))
    lower = {name.strip().lower(): name for name in rest}
    several = next((lower[name] for name in SEVERAL if name in lower and lower[name] != label), None)
    columns = [frame[named].alias("path")]
    if label:
        columns.append(frame[label].str.strip_chars().replace("", None).alias("label"))
    if several:
        cells = frame[several].str.replace_all(r"\s*[|;,]\s*", "|").str.strip_chars("| ")
        columns.append(cells.str.split("|").alias("labels"))
    columns.append(_splits(frame, lower.get("split"), path))
    taken = {named, label, several, lower.get("split")}
    own = [name for name in rest if name not in taken and name.strip().lower() not in COMPUTED]
    return pl.DataFrame(columns + [_guess_type(frame[name]) for name in own])


def _splits(frame: pl.DataFrame, column: str | None, path: Path) -> pl.Series:
    if column is None:
        return pl.Series("split", [split_of(path.stem)] * len(frame), dtype=pl.String)
    said = [split_named(cell.strip()) if cell else None for cell in frame[column]]
    return pl.Series("split", said, dtype=pl.String)


def _guess_type(cells: pl.Series) -> pl.Series:
    for kind in (COLUMNS[cells.name].dtype,) if cells.name in COLUMNS else (pl.Int64, pl.Float64):
        if kind in (pl.Int64, pl.Float64, pl.Int32, pl.Float32):
            numbers = cells.cast(kind, strict=False)
            if numbers.null_count() == cells.null_count():
                return numbers
    return cells


def _natural(frame: pl.DataFrame) -> pl.DataFrame:
    """Class numbers lose their leading zeros: a folder 00007 and a ClassId 7 are one class."""
    if "label" in frame.columns and frame["label"].drop_nulls().str.contains(r"^\d+$").all():
        return frame.with_columns(pl.col("label").str.replace(r"^0+(\d)", "$1"))
    return frame


def _boxed(frame: pl.DataFrame) -> pl.DataFrame:
    """Gather the boxes of each picture from its rows."""
    lower = {name.strip().lower(): name for name in frame.columns}
    names = next((four for four in CORNERS if all(name in lower for name in four)), None)
    if names is None:
        return frame
    corners = [pl.col(lower[name]).cast(pl.Float32, strict=False).alias(k) for name, k in zip(names, SIDES)]
    label = pl.col("label") if "label" in frame.columns else pl.lit(None, pl.String).alias("label")
    boxes = frame.select("path", pl.struct(*corners, label).cast(BOX).alias("boxes"))
    whole = pl.all_horizontal(pl.col("boxes").struct.field(k).is_not_null() for k in SIDES)
    gathered = boxes.filter(whole).group_by("path", maintain_order=True).agg("boxes")
    own = frame.drop([lower[name] for name in names]).unique("path", keep="first", maintain_order=True)
    joined = own.join(gathered, on="path", how="left", maintain_order="left")
    if len(own) == len(frame) or "label" not in frame.columns:
        return joined
    labels = frame.group_by("path").agg(pl.col("label").drop_nulls().unique().sort().alias("labels"))
    return joined.drop("label").join(labels, on="path", how="left", maintain_order="left")


def _with_folders(listed: Listing) -> Listing:
    """Add the class folders of the splits that no list speaks of."""
    walked = walk(listed.root)
    skipped = walked.hidden + len(walked.others)
    covered = set(listed.frame["split"]) if "split" in listed.frame.columns else set(SPLITS)
    extra = _class_folders(walked.pictures, covered)
    findings = Findings(listed.findings.frame.vstack(walked.findings.frame).unique(maintain_order=True))
    if not extra.is_empty() and "label" in extra.columns:
        whole = _natural(pl.concat([listed.frame, extra], how="diagonal_relaxed"))
        return Listing(listed.root, whole, "csv and folders", findings, skipped)
    skipped += len(set(walked.pictures) - set(listed.frame["path"]))
    return Listing(listed.root, listed.frame, "csv", findings, skipped)


def _class_folders(pictures: Sequence[str], covered: set[str | None]) -> pl.DataFrame:
    said = [(path, each) for path, each in zip(pictures, describe(pictures)) if each is not None]
    kept = [(path, *each) for path, each in said if each[0] and each[0] not in covered and each[1]]
    return typed(
        {
            "path": [path for path, _, _ in kept],
            "split": [split for _, split, _ in kept],
            "label": [label for _, _, label in kept],
        }
    )
