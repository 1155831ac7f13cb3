"""What an index says of itself: `index.json`, the one file that decides which others count."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from okulo.core.errors import BadInput
from okulo.io.files import read_json, write_json
from okulo.search.settings import Settings

FORMAT = 1
NAME = "index.json"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """An index as it stands: every file of it is named here, with the generation it was written in."""

    settings: Settings
    length: int
    model: str
    """Fingerprint of the model whose vectors these are."""
    model_file: str = ""
    """Where that model was when the index was made."""
    crop: str = "none"
    """What is cut out of a picture before it is embedded."""
    table: str = ""
    """The table's file when the index was made."""
    reason: str = ""
    """Why this kind."""
    store: str = ""
    """Address of a vector database, where the vectors are not here."""
    generation: int = 1
    rows: int = 0
    """In the main block; later ones are in the tail."""
    build_s: float = 0.0
    files: Mapping[str, str] = field(default_factory=dict)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make a new state the one that counts, and remove the files that no longer do."""
    write_json(folder / NAME, {"format": FORMAT, **_plain(manifest)})
    live = set(manifest.files.values())
    for path in folder.iterdir():
        generated = path.suffix in (".faiss", ".parquet", ".npy") and path.name not in live
        if generated and path.is_file() and "-" in path.stem:
            path.unlink(missing_ok=True)


def _plain(manifest: Manifest) -> dict[str, Any]:
    from okulo.core.report import to_json

    said: dict[str, Any] = to_json(manifest)
    return said


def read_manifest(folder: Path) -> Manifest:
    """Read `index.json`; a folder that is no index, or one of a newer format, is BadInput."""
    folder = Path(folder)
    if not (folder / NAME).is_file():
        problem = "is no index" if folder.exists() else "does not exist"
        raise BadInput(
            str(folder), problem, hint="`okulo index items.parquet --model M -o my.index` makes one"
        )
    said = read_json(folder / NAME)
    try:
        if said.pop("format") != FORMAT:
            raise BadInput(
                str(folder), wanted=f"an index of format {FORMAT}", got="another", hint="update okulo"
            )
        settings = Settings(**said.pop("settings"))
        return Manifest(settings=settings, **said)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(str(folder / NAME), f"cannot be read ({error})") from error


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Keep a second writer waiting, so that none loses the other's changes."""
    try:
        handle = (folder / ".lock").open("w")
    except OSError as error:
        raise BadInput(str(folder), f"cannot be written ({error.strerror})") from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
