"""What an earlier scan knew: the next one looks only at what changed and loses nothing of the user's."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from okulo.core.nouns import FINDING_SCHEMA
from okulo.core.table import COLUMNS
from okulo.curate.audit import GENERAL
from okulo.io.tables import read_findings, read_items, rebased
from okulo.io.walk import Row

FACTS = ("id", "width", "height", "bytes", "mtime_ns", "mode", "orientation")
"""What a scan finds out about a file."""
SCHEMA = {name: COLUMNS[name].dtype for name in ("path", *FACTS)}


@dataclass(frozen=True)
class Changes:
    """What became of the files since the last scan."""

    new: int
    changed: int
    unchanged: int
    gone: int


@dataclass(frozen=True)
class Known:
    """The table and findings that were there; `frame` is None where there were none."""

    frame: pl.DataFrame | None = None
    findings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FINDING_SCHEMA))

    def unchanged(self, paths: Sequence[str], root: Path) -> set[str]:
        """The paths whose file has the size and the time it had."""
        if self.frame is None or not set(FACTS) <= set(self.frame.columns):
            return set()
        was = dict(zip(self.frame["path"], zip(self.frame["bytes"], self.frame["mtime_ns"])))
        return {path for path in paths if path in was and _size_and_time(f"{root}/{path}") == was[path]}

    def facts(self, paths: Collection[str]) -> pl.DataFrame:
        """What is known about these files."""
        if self.frame is None or not paths:
            return pl.DataFrame(schema=SCHEMA)
        return self.frame.filter(pl.col("path").is_in(list(paths))).select(*SCHEMA)

    def findings_of(self, paths: Collection[str]) -> list[Row]:
        """Findings that only a decode can make, of files that are not decoded again."""
        kept = (pl.col("kind") == "blank") & pl.col("item").is_in(list(paths))
        return self.findings.filter(kept).rows()

    def merge(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, Changes | None, list[Row]]:
        """Give items whose bytes are the same what the table had; where both speak, the table is right.

        A person may have corrected a label in the table: a scan must not take that back.
        """
        if self.frame is None:
            return frame, None, []
        old = self.frame.select("path", *(n for n in self.frame.columns if n not in (*SCHEMA, "path")), "id")
        extra = [name for name in old.columns if name not in ("path", "id")]
        joined = frame.join(
            old.rename({name: f"{name}\0" for name in extra}),
            on=["path", "id"],
            how="left",
            maintain_order="left",
        )
        conflicts: list[Row] = []
        for name in extra:
            theirs = joined[f"{name}\0"]
            if name in frame.columns:
                conflicts += _conflicts(joined, name) if name in ("label", "labels") else []
                theirs = joined.select(pl.coalesce(f"{name}\0", name)).to_series()
            joined = joined.with_columns(theirs.alias(name)).drop(f"{name}\0")
        return joined, self._changes(frame), conflicts

    def _changes(self, frame: pl.DataFrame) -> Changes:
        assert self.frame is not None
        both = frame.select("path", "id").join(
            self.frame.select("path", pl.col("id").alias("was")), on="path"
        )
        same = int((both["id"] == both["was"]).sum())
        return Changes(
            new=len(frame) - len(both),
            changed=len(both) - same,
            unchanged=same,
            gone=len(self.frame) - len(both),
        )


def _conflicts(joined: pl.DataFrame, name: str) -> list[Row]:
    was = pl.col(f"{name}\0")
    differ = joined.filter(was.is_not_null() & pl.col(name).is_not_null() & (was != pl.col(name)))
    return [
        (path, "relabelled", 0.2, f"the table says {old}, the folder {new}; --fresh takes the folder's")
        for path, old, new in differ.select("path", f"{name}\0", name).iter_rows()
    ]


def _size_and_time(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a million times
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def remember(output: Path, findings_file: Path, root: Path) -> Known:
    """Read the table that is there, its paths relative to `root`."""
    if not output.exists():
        return Known()
    items = read_items(output)
    frame = items.frame.unique("path", keep="first", maintain_order=True)
    names = [name for name in ("path", "mask") if name in frame.columns]
    frame = frame.with_columns(rebased(frame[name], items.root, root) for name in names)
    if not findings_file.exists():
        return Known(frame)
    return Known(frame, read_findings(findings_file, root, general=GENERAL).frame)
