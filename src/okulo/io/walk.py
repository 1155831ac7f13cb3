"""Walk a folder: its files in a set order, none outside it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from okulo.core.nouns import Findings
from okulo.io.images import SUFFIXES

Row = tuple[str, str, float, str]
"""One finding: item, kind, severity, reason."""


@dataclass(frozen=True)
class Walked:
    """What lies below a folder; paths are relative to it, with `/`, sorted."""

    pictures: tuple[str, ...]
    others: tuple[str, ...]
    hidden: int
    findings: Findings


def walk(root: Path) -> Walked:
    """Find every file below `root`, by name; links that lead out of it are findings, hidden files counted.

    Links to files inside are followed, links to folders are not: what they hold is found under its own name.
    """
    pictures: list[str] = []
    others: list[str] = []
    rows: list[Row] = []
    hidden = 0
    top = os.path.realpath(root)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        for entry in _entries(top, folder, rows):
            path = f"{folder}{entry.name}"
            if entry.name.startswith("."):
                hidden += 1
            elif not _is_text(path):
                rows.append((show_name(path), "bad-name", 0.8, "its name is not UTF-8; rename it"))
            elif entry.is_symlink() and (problem := _bad_link(top, entry.path)):
                rows.append((path, *problem))
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(f"{path}/")
            elif entry.is_file():
                (pictures if path.lower().endswith(SUFFIXES) else others).append(path)
    return Walked(tuple(sorted(pictures)), tuple(sorted(others)), hidden, Findings.of(sorted(rows)))


def _entries(top: str, folder: str, rows: list[Row]) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(f"{top}/{folder}") as entries:
            yield from entries
    except OSError as error:
        rows.append((folder or ".", "unreadable", 1.0, f"the folder cannot be read ({error.strerror})"))


def _bad_link(top: str, link: str) -> tuple[str, float, str] | None:
    target = os.path.realpath(link)
    if not os.path.lexists(target):
        return "broken-link", 0.8, "a link to nothing"
    if not f"{target}/".startswith(top.rstrip("/") + "/"):
        return "link-out", 0.8, "a link that leads out of the folder; it was not followed"
    return None


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of the name that are no UTF-8 come as lone surrogates
        return False
    return True


def show_name(name: str) -> str:
    """A name as text that can be printed and stored, bytes that are no UTF-8 written out.

    >>> show_name("caf\\udce9.png")
    'caf\\\\xe9.png'
    """
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # surrogates that no file system gave: a list invented them
        return name.encode("utf-8", "backslashreplace").decode()
