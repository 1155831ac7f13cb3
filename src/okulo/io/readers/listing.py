"""What a reader returns, and where the files are that a list names."""

# ruff: noqa: PTH113, PTH114, PTH118 - names of a million files are looked up as plain strings

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import polars as pl

from okulo.core.nouns import Findings
from okulo.core.table import COLUMNS
from okulo.io.walk import Row, Walked, show_name, walk

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""What data sets call their parts, in lower case."""


@dataclass(frozen=True)
class Listing:
    """The items a data set names: `path` relative to `root` with `/`, and what is said of each."""

    root: Path
    frame: pl.DataFrame
    form: str
    """The reader: folders, csv, table, coco, yolo or masks."""
    findings: Findings = field(default_factory=Findings)
    skipped: int = 0
    """Files that are no pictures or belong to no item, and hidden ones."""


def typed(columns: dict[str, Sequence[object]]) -> pl.DataFrame:
    """Make a table whose known columns have their declared types; columns that are null throughout go.

    >>> typed({"path": ["a.png"], "label": [None], "split": ["train"]}).columns
    ['path', 'split']
    """
    made = [
        pl.Series(name, list(values), dtype=COLUMNS[name].dtype if name in COLUMNS else None)
        for name, values in columns.items()
    ]
    return pl.DataFrame([s for s in made if s.name == "path" or s.null_count() < len(s)])


def split_named(name: str) -> str | None:
    """The split a folder or file of this name stands for.

    >>> split_named("Valid"), split_named("cats")
    ('val', None)
    """
    return SPLIT_NAMES.get(name.lower())


class Places:
    """Finds the files that a list names, below one folder and nowhere else.

    A name is looked for from where the list lies, then from the root, as COCO's lists in `annotations/` mean
    it. One that is not there as written is taken for the only picture whose path ends with it, its ending
    left out or not: lists often leave out the upper folders or the ending.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self._prefix = self.root.rstrip("/") + "/"
        self._folders: dict[str, str] = {}

    def find(self, name: str, *, start: str = "") -> str | Row:
        """The path relative to the root, or the finding that says why there is none.

        `start`: the folder, relative to the root, that the name is relative to.
        """
        named = name.strip().replace("\\", "/")
        whole = os.path.normpath(os.path.join(self.root, start, named))
        if not named or "\0" in named:
            return (show_name(name), "missing", 1.0, "the list names no file here")
        if not whole.startswith(self._prefix):
            return (show_name(name), "link-out", 0.8, f"leads out of {self.root}; it was not followed")
        at_root = os.path.normpath(os.path.join(self.root, named))
        for place in (whole, at_root):
            if place.startswith(self._prefix) and os.path.isfile(place):
                return self._checked(name, place)
        found = self._elsewhere(named)
        return found if found else (show_name(name), "missing", 1.0, "the list names it; it is not there")

    def _checked(self, name: str, whole: str) -> str | Row:
        folder, _, file = whole.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder) + "/"
        real = os.path.realpath(whole) if os.path.islink(whole) else self._folders[folder] + file
        if not real.startswith(self._prefix):
            return (
                show_name(name),
                "link-out",
                0.8,
                "a link that leads out of the folder; it was not followed",
            )
        return whole[len(self._prefix) :]

    def _elsewhere(self, named: str) -> str | None:
        # `dog/9.png` must not be taken for `cat/9.png`: the folders that are named must be there.
        found = self._by_name.get(named.rpartition("/")[2])
        if not found:
            return None
        ends = (f"/{found}", f"/{found.rpartition('.')[0]}")
        return found if any(end.endswith(f"/{named}") for end in ends) else None

    @cached_property
    def walked(self) -> Walked:
        """All that lies below the root."""
        return walk(Path(self.root))

    @cached_property
    def _by_name(self) -> dict[str, str | None]:
        """File name or stem → picture; None where several have it."""
        names: dict[str, str | None] = {}
        for picture in self.walked.pictures:
            path = PurePosixPath(picture)
            for key in {path.name, path.stem}:
                names[key] = None if key in names else picture
        return names
