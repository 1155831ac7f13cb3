"""Examine one file: hash, header, whether it decodes whole. Also a worker process that does so for many.

`python -m okulo.io.examine` reads one JSON list `[path, …]` a line and answers one JSON list of examinations.
It ends when its input does, so it never outlives the one who asked.
"""

import hashlib
import json
import os
import stat
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

from okulo.core.errors import BadInput
from okulo.io.images import look, look_and_decode

MAX_BYTES = 1 << 30
"""A file of more bytes is not read at all."""


class Examined(NamedTuple):
    """What one file is; `problem` names a kind of finding ("" when the picture can be used)."""

    id: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    mtime_ns: int = 0
    mode: str = ""
    orientation: int = 1
    blank: bool = False
    problem: str = ""
    reason: str = ""


class Bounds(NamedTuple):
    """What is looked at, and how far."""

    max_pixels: int
    verify: bool


def examine(path: str, bounds: Bounds) -> Examined:
    """Hash one file and look at it; whatever is wrong with it is said in `problem` and `reason`."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a million times; Path costs
        if not stat.S_ISREG(status.st_mode):
            return Examined(problem="unreadable", reason="it is no plain file")
        if status.st_size == 0:
            return Examined(problem="empty", reason="the file has no bytes")
        if status.st_size > MAX_BYTES:
            reason = f"{status.st_size:,} bytes, more than {MAX_BYTES:,}"
            return Examined(problem="huge", reason=reason)
        with open(path, "rb") as file:  # noqa: PTH123
            data = file.read(status.st_size)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        return Examined(problem="unreadable", reason=str(getattr(error, "strerror", None) or error))
    return _picture(data, status, bounds)


def examine_header(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture as seen; None where it cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        looked = look(path.read_bytes())
    except (OSError, BadInput):
        return None
    return looked.width, looked.height


def _picture(data: bytes, status: os.stat_result, bounds: Bounds) -> Examined:
    blank = False
    try:
        if bounds.verify:
            looked, image = look_and_decode(data, max_pixels=bounds.max_pixels)
            blank = bool((image == image[0, 0]).all())
        else:
            looked = look(data, max_pixels=bounds.max_pixels)
    except BadInput as error:
        reason = str(error).removeprefix("picture: ")
        kind = "huge" if "pixels, got" in reason else "truncated" if "whole" in reason else "unreadable"
        return Examined(problem=kind, reason=reason)
    return Examined(
        hashlib.blake2b(data, digest_size=16).hexdigest(),
        looked.width,
        looked.height,
        status.st_size,
        status.st_mtime_ns,
        looked.mode,
        looked.orientation,
        blank,
    )


def main() -> None:
    """Answer on standard output, line for line, until standard input ends."""
    warnings.simplefilter("ignore")
    bounds = Bounds(**json.loads(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a decoder that prints must not speak in between
    try:
        for line in sys.stdin:
            answers.write(json.dumps([examine(path, bounds) for path in json.loads(line)]) + "\n")
            answers.flush()
    except BrokenPipeError:  # the asker was killed: there is nobody to answer
        os._exit(1)


if __name__ == "__main__":
    main()
