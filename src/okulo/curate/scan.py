"""`okulo scan`: make a table of a folder of pictures, and say what is wrong with them."""

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.errors import BadInput
from okulo.core.nouns import FINDING_SCHEMA, Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.core.table import COLUMNS, Items, fingerprint
from okulo.curate.audit import GENERAL, Limits, audit
from okulo.curate.balance import Balance, class_balance, plot_balance
from okulo.curate.rescan import FACTS, SCHEMA, Changes, Known, remember
from okulo.curate.splits import assign_splits, parse_shares
from okulo.io.examine import Bounds, Examined
from okulo.io.readers.choose import FORMS, Source, read_listing
from okulo.io.readers.listing import Listing
from okulo.io.tables import write_findings, write_items
from okulo.io.walk import Row
from okulo.io.workers import WORTH_A_PROCESS, examine_all

BATCH = 4096
"""Examinations that are held as Python objects at a time."""


@dataclass(frozen=True, kw_only=True)
class ScanParams(Params):
    """Make a table of a folder of pictures, and say what is wrong with them."""

    source: Path = param(help="folder, or a .csv, .parquet or COCO .json file", positional=True)
    output: Path = param(
        Path("items.parquet"), help="the table; one that exists is brought up to date", short="o"
    )
    format: str = param("auto", help="how the data set is laid out", choices=FORMS)
    csv: Path | None = param(None, help="read this CSV file; its paths start from the folder")
    path_column: str = param("", help="column of a CSV or Parquet file that holds the paths (guessed)")
    label_column: str = param("", help="column that holds the labels (guessed)")
    root: Path | None = param(None, help="folder a list's paths start from and must stay in (the list's own)")
    split: str = param("", help="shares of train/val/test for items without a split, such as 0.8/0.1/0.1")
    val: float = param(0.0, help="share of train to take as val, where the data has no val", low=0, high=0.9)
    resplit: bool = param(False, help="give every item a new split, also those that have one")
    seed: int = param(0, help="of the splits", low=0)
    plot: Path | None = param(None, help="draw the class balance into this PNG, SVG or PDF file")
    verify: bool = param(True, help="decode every picture, to find those that are cut off")
    max_pixels: int = param(100_000_000, help="pictures with more are left out", low=1)
    min_side: int = param(8, help="a picture with a shorter side, in pixels, is a finding", low=1)
    max_aspect: float = param(8.0, help="a picture longer than so many times its width is a finding", low=1)
    workers: int = param(
        0, help="processes that look at pictures; 0: as many as it is worth", low=0, high=256
    )
    fresh: bool = param(False, help="forget the table that exists and start anew")


@dataclass(frozen=True)
class ScanReport:
    """What was found in a folder."""

    source: Path
    output: Path
    form: str
    items: int
    left_out: int
    """Files that cannot be used; each is a finding."""
    skipped: int
    """Files that are no pictures of the data set: other types, hidden."""
    bytes: int
    sides: tuple[int, int, int]
    """Longer side of the pictures: smallest, median, largest (pixels)."""
    splits: dict[str, int]
    balance: Balance
    changes: Changes | None
    """Against the table that was there; None for the first scan."""
    kinds: dict[str, int]
    """Findings of each kind."""
    findings: Findings
    findings_file: Path
    plot: Path | None
    fingerprint: str


def run(params: ScanParams, progress: Progress = silent) -> ScanReport:
    """Scan, and write the table and its findings."""
    findings_file = params.output.with_name(f"{params.output.stem}.findings.parquet")
    if params.split:
        parse_shares(params.split)  # before the work, not after it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files; they become findings
        listing = _listed(params, findings_file)
        known = Known() if params.fresh else remember(params.output, findings_file, listing.root)
        frame, rows = _examined(listing, known, params, progress)
    frame, changes, conflicts = known.merge(frame)
    frame = _ordered(_split(frame, params))
    rows += [*listing.findings.frame.rows(), *conflicts]
    rows += audit(frame, listing.root, Limits(params.min_side, params.max_aspect))
    return _write(params, listing, frame, rows, changes, findings_file)


def _listed(params: ScanParams, findings_file: Path) -> Listing:
    """Read what lies there, without the files this command writes itself."""
    form, path, root = params.format, params.source, params.root
    if params.csv is not None:
        if not params.csv.is_file():
            raise BadInput(str(params.csv), "is no file")
        form, path, root = "csv", params.csv, root or params.source
    listing = read_listing(Source(path, root, params.path_column, params.label_column), form)
    own = {os.path.realpath(each) for each in (params.plot, params.output, findings_file) if each}
    top = os.path.realpath(listing.root)
    inside = [each[len(top) + 1 :] for each in own if each.startswith(f"{top}/")]
    frame = listing.frame.filter(~pl.col("path").is_in(inside))
    if frame.is_empty() and not len(listing.findings):
        raise BadInput(str(params.source), f"holds no pictures (read as {listing.form})")
    return replace(listing, root=Path(top), frame=frame)


def _examined(
    listing: Listing, known: Known, params: ScanParams, progress: Progress
) -> tuple[pl.DataFrame, list[Row]]:
    """The listed items that can be used, with what their files are; findings for the others."""
    paths = listing.frame["path"].to_list()
    kept = known.unchanged(paths, listing.root)
    left = [path for path in paths if path not in kept]
    bounds = Bounds(params.max_pixels, params.verify)
    workers = params.workers or _worth(len(left))
    looked = examine_all([f"{listing.root}/{path}" for path in left], bounds, processes=workers)
    rows: list[Row] = list(known.findings_of(kept))
    batches = [known.facts(kept)]
    steps = progress(looked, label="looking at pictures", total=len(left))
    for batch in _batched(zip(left, steps)):
        rows += [(path, each.problem, 1.0, each.reason) for path, each in batch if each.problem]
        rows += [(path, "blank", 0.3, "one colour throughout") for path, each in batch if each.blank]
        batches.append(_facts([(path, each) for path, each in batch if not each.problem]))
    return listing.frame.join(pl.concat(batches), on="path", how="inner", maintain_order="left"), rows


def _worth(files: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, files // WORTH_A_PROCESS))


def _batched(pairs: Iterable[tuple[str, Examined]]) -> Iterator[list[tuple[str, Examined]]]:
    steps = iter(pairs)
    while batch := list(islice(steps, BATCH)):
        yield batch


def _facts(pairs: list[tuple[str, Examined]]) -> pl.DataFrame:
    columns = {"path": [path for path, _ in pairs]}
    columns |= {name: [getattr(each, name) for _, each in pairs] for name in FACTS}
    return pl.DataFrame(columns, schema=SCHEMA)


def _split(frame: pl.DataFrame, params: ScanParams) -> pl.DataFrame:
    rng = np.random.default_rng(params.seed)
    if params.resplit:
        if not params.split:
            raise BadInput("resplit", "needs --split", hint="such as --split 0.8/0.1/0.1")
        frame = frame.drop("split", strict=False)
    if params.split:
        frame = frame.with_columns(assign_splits(frame, parse_shares(params.split), rng))
    if params.val and "split" not in frame.columns:
        raise BadInput("val", "needs items in train", hint="use --split 0.8/0.1/0.1")
    if params.val and not (frame["split"] == "val").any():
        train = frame.filter(pl.col("split") == "train")
        parted = assign_splits(train.drop("split"), (1 - params.val, params.val, 0.0), rng)
        taken = train.select("path", parted.alias("parted"))
        frame = frame.join(taken, on="path", how="left", maintain_order="left")
        frame = frame.with_columns(pl.coalesce("parted", "split").alias("split")).drop("parted")
    return frame


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Known columns in their declared order, then the user's own."""
    known = [name for name in COLUMNS if name in frame.columns]
    return frame.select(*known, *(name for name in frame.columns if name not in COLUMNS))


def _sides(frame: pl.DataFrame) -> tuple[int, int, int]:
    """Longer side of the pictures: smallest, median, largest."""
    longer = np.maximum(frame["width"].to_numpy(), frame["height"].to_numpy())
    return (int(longer.min()), int(np.median(longer)), int(longer.max())) if len(longer) else (0, 0, 0)


def _write(
    params: ScanParams,
    listing: Listing,
    frame: pl.DataFrame,
    rows: list[Row],
    changes: Changes | None,
    findings_file: Path,
) -> ScanReport:
    balance = class_balance(frame)
    rows = sorted(set(rows), key=lambda row: (-row[2], row[1], row[0]))
    findings = Findings(pl.DataFrame(rows, schema=FINDING_SCHEMA, orient="row"))
    if params.plot is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # class names in scripts the plot's font lacks
            plot_balance(balance, params.plot)
    items = write_items(Items(frame, listing.root), params.output)
    write_findings(findings, listing.root, findings_file, general=GENERAL)
    splits = (
        [("none", 0)]
        if "split" not in frame.columns
        else frame["split"].fill_null("none").value_counts().rows()
    )
    return ScanReport(
        source=params.source,
        output=params.output,
        form=listing.form,
        items=len(items),
        left_out=len(listing.frame) - len(frame),
        skipped=listing.skipped,
        bytes=int(frame["bytes"].sum()),
        sides=_sides(frame),
        splits={name: count for name, count in sorted(splits) if count},
        balance=balance,
        changes=changes,
        kinds=findings.counts(),
        findings=findings,
        findings_file=findings_file,
        plot=params.plot,
        fingerprint=fingerprint(frame),
    )
