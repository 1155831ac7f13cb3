"""Files that are whole or absent, and paths that stay inside their root."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from okulo.core.errors import BadInput
from okulo.core.report import to_json


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; when the block ends well it becomes `path`, else it is removed.

    A reader sees the old file or the new one, never half of one, even after a power cut. A full disk or an
    unwritable folder is BadInput.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from error
    aside = Path(name)
    try:
        yield aside
        _make_durable(aside)
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
        _make_durable(path.parent)
    except OSError as error:
        if error.filename not in (None, name, str(path)):  # another file's trouble, not this one's
            raise
        raise _cannot_write(path, error) from error
    finally:
        aside.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> BadInput:
    return BadInput(str(path), f"cannot be written ({error.strerror or error})", hint="nothing was changed")


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with write_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a report or any plain value as indented JSON, whole or not at all."""
    write_text(path, json.dumps(to_json(value), indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; one that is missing or is no JSON is BadInput."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise BadInput(str(path), f"is no JSON ({error})") from error


def inside(root: Path, path: Path | str) -> Path:
    """Resolve `path` against `root`, symbolic links followed; one that leads out of it is BadInput.

    >>> inside(Path("/data"), "../etc/passwd")
    Traceback (most recent call last):
    okulo.core.errors.BadInput: ../etc/passwd: leads out of /data
    """
    root = Path(root).resolve()
    resolved = (root / path).resolve()
    if not resolved.is_relative_to(root):
        raise BadInput(str(path), f"leads out of {root}")
    return resolved
