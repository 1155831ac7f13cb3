"""Packs: the pictures of a job in one file, written aside and renamed: a pack is whole or absent."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from okulo.core.errors import BadInput
from okulo.io.files import write_aside
from okulo.serve.refusals import Refused

SUFFIX = ".pack"
FORGOTTEN_S = 3600.0
"""A file that nobody wrote to for so long, and that belongs to no open job, is left over from a kill."""


class NoRoom(Refused):
    """The disk is full, or the folder cannot be written."""

    status = 507
    reason = "no room"


class Spool:
    """A folder of packs. Workers on other machines need the same folder: a network file system will do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(str(folder), f"cannot be written ({error.strerror})") from error

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Open a new pack; it is on the disk, whole, when the block has ended well, else there is none."""
        path = self.folder / name
        try:
            with write_aside(path) as aside, aside.open("wb") as stream:
                yield stream
        except OSError as error:
            raise NoRoom(f"the pictures cannot be kept ({error.strerror})", retry_after_s=60) from error
        except BadInput as error:
            if error.what != str(path):
                raise
            raise NoRoom(str(error), retry_after_s=60) from error

    def read(self, name: str, start: int, length: int) -> bytes:
        """Read one picture."""
        try:
            with (self.folder / name).open("rb", buffering=0) as stream:
                data = os.pread(stream.fileno(), length, start)
        except OSError as error:
            raise BadInput("picture", f"its pack cannot be read ({error.strerror})") from error
        if len(data) != length:
            raise BadInput("picture", "its pack is too short")
        return data

    def remove(self, name: str) -> None:
        """Take a pack away, if it is there."""
        if name:
            (self.folder / name).unlink(missing_ok=True)

    def sweep(self, needed: Callable[[], set[str]]) -> int:
        """Take away what belongs to no open job (`needed`); how many files that were."""
        old = time.time() - FORGOTTEN_S
        found = [each for each in self.folder.glob(f"*{SUFFIX}") if each.stat().st_mtime < old]
        if not found:
            return 0
        keep = needed()  # asked after looking: a pack that is newer than that cannot be among the found
        left = [each for each in found if each.name not in keep]
        for each in left:
            each.unlink(missing_ok=True)
        return len(left)
