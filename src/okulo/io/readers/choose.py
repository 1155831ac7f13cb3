"""Which reader fits what lies there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from okulo.core.errors import BadInput
from okulo.io.readers import coco, csv, folders, masks, table, yolo
from okulo.io.readers.listing import Listing

FORMS = ("auto", "folders", "csv", "table", "coco", "yolo", "masks")
BY_SUFFIX = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "table", ".json": "coco"}


@dataclass(frozen=True)
class Source:
    """What is to be read, and what the user said of it."""

    path: Path
    root: Path | None = None
    path_column: str = ""
    label_column: str = ""


READERS: Mapping[str, Callable[[Source], Listing]] = {
    "folders": lambda source: folders.read(source.path),
    "csv": lambda source: csv.read(
        source.path, root=source.root, path_column=source.path_column, label_column=source.label_column
    ),
    "table": lambda source: table.read(
        source.path, root=source.root, path_column=source.path_column, label_column=source.label_column
    ),
    "coco": lambda source: coco.read(source.path, root=source.root),
    "yolo": lambda source: yolo.read(source.path),
    "masks": lambda source: masks.read(source.path),
}


def read_listing(source: Source, form: str = "auto") -> Listing:
    """Read a data set with the reader that fits, or with the one named."""
    path = source.path
    if not path.exists():
        raise BadInput(str(path), "does not exist")
    form = recognise(path) if form == "auto" else form
    if (path.is_dir() and form == "table") or (path.is_file() and form in ("folders", "yolo", "masks")):
        raise BadInput(
            str(path), f"cannot be read as {form}", hint="give a file for csv, table and coco, else a folder"
        )
    return READERS[form](source)


def recognise(path: Path) -> str:
    """Name the reader for a folder or a file, by what lies there."""
    if path.is_file():
        if path.suffix.lower() not in BY_SUFFIX:
            raise BadInput(
                str(path),
                wanted="a folder, or a .csv, .parquet or .json file",
                got=path.suffix or "no ending",
            )
        return BY_SUFFIX[path.suffix.lower()]
    names = {each.name.lower() for each in path.iterdir()}
    inner = {f"{each.parent.name.lower()}/{each.name.lower()}" for each in path.glob("*/*") if each.is_dir()}
    deep = names | {each.partition("/")[2] for each in inner}
    if "images" in deep and "labels" in deep and _holds(path, "labels", ".txt"):
        return "yolo"
    if deep & set(masks.PICTURES) and deep & {"masks", "mask"}:
        return "masks"
    if coco.find_coco(path):
        return "coco"
    return "csv" if csv.find_csv(path) else "folders"


def _holds(root: Path, folder: str, suffix: str) -> bool:
    """Whether a folder of this name, at the top or one below, holds such a file."""
    return any(
        any(found.rglob(f"*{suffix}")) for pattern in (folder, f"*/{folder}") for found in root.glob(pattern)
    )
