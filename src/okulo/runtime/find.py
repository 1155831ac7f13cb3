"""Which pictures are meant: files, folders, globs, or one table."""

import glob
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.io.images import SUFFIXES
from okulo.io.tables import read_items
from okulo.io.walk import walk


def find_items(paths: Sequence[Path]) -> tuple[Items, bool]:
    """Give the pictures in order, and whether they came as a table (else `id` is not yet their hash)."""
    tables = [path for path in paths if path.suffix == ".parquet"]
    if tables and len(paths) > 1:
        raise BadInput("paths", wanted="one table, or pictures", got=f"{tables[0]} among {len(paths)} paths")
    if tables:
        return read_items(tables[0]), True
    found = [str(file) for path in paths for file in _pictures(path)]
    if not found:
        named = ", ".join(map(str, paths)) or "nothing"
        raise BadInput("paths", wanted="at least one picture", got=named)
    schema = {"id": pl.String, "path": pl.String}
    return Items(pl.DataFrame({"id": found, "path": found}, schema=schema), Path.cwd()), False


def _pictures(path: Path) -> list[Path]:
    """The file itself, the folder's pictures by name, or what a glob matches."""
    if path.is_dir():
        root = path.resolve()
        found = [root / name for name in walk(root).pictures]
        if not found:
            raise BadInput(str(path), wanted=f"pictures ({', '.join(SUFFIXES)})", got="none in it or below")
        return found
    if path.exists():
        return [path.resolve()]
    if glob.has_magic(str(path)):
        matches = [Path(each).resolve() for each in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
        if matches:
            return [each for each in matches if each.is_file()]
    raise BadInput(str(path), "does not exist")
