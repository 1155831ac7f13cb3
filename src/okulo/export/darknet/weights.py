"""Darknet's `.weights`: a short header, then float32 numbers, layer by layer in the order of the cfg."""

import struct
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from okulo.core.errors import BadInput

NUMBERS = np.dtype("<f4")


class Weights:
    """The numbers of a weights file, taken one array after another; errors say where it does not fit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
        if len(data) < 16:
            raise BadInput(str(path), wanted="a header and numbers", got=f"{len(data)} bytes")
        major, minor, revision = struct.unpack_from("<iii", data)
        if not (0 <= major < 1000 and 0 <= minor < 1000 and 0 <= revision < 100_000):
            got = f"a version {major}.{minor}.{revision}"
            raise BadInput(str(path), wanted="a Darknet weights file", got=got, hint=_looks_like(data))
        self.version = f"{major}.{minor}.{revision}"
        start = 20 if major * 10 + minor >= 2 else 16
        self.seen = int.from_bytes(data[12:start], "little")
        """Pictures seen in training."""
        self._odd = (len(data) - start) % 4
        self._numbers = np.frombuffer(data, NUMBERS, count=(len(data) - start) // 4, offset=start)
        self._at = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, count: int, what: str) -> Float32[np.ndarray, " n"]:
        """Take the next `count` numbers, which are `what` of the network."""
        left = len(self._numbers) - self._at
        if count > left:
            odd = " and is cut in the middle of a number" if self._odd else ""
            raise BadInput(
                str(self.path),
                f"ends in {what}: {count:,} numbers are wanted there, {left:,} are left{odd}",
                hint="the file is truncated, or it is of a larger network than the cfg's"
                if not self._odd
                else "the file is truncated",
            )
        taken: np.ndarray = self._numbers[self._at : self._at + count]
        self._at += count
        return taken

    def take_norm(self, count: int, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take a batch norm's scales, means and variances; variances below 0 betray another network."""
        scales, means, variances = (
            self.take(count, f"{name} of {what}") for name in ("scales", "means", "variances")
        )
        if not (np.isfinite(variances) & (variances >= 0)).all():
            raise BadInput(
                str(self.path),
                f"does not fit the cfg: the variances of {what} are no variances",
                hint="these weights are of another network, and part at this layer or before",
            )
        return scales, means, variances

    def finish(self) -> None:
        """Raise BadInput unless everything was taken, and all of it is finite."""
        left = len(self._numbers) - self._at
        if left or self._odd:
            bytes_left = f" and {self._odd} bytes" if self._odd else ""
            raise BadInput(
                str(self.path),
                f"holds {left:,} numbers{bytes_left} more than the cfg's network has ({self._at:,})",
                hint="these weights are of another network: more classes, more layers?",
            )
        if not np.isfinite(self._numbers).all():
            at = int((~np.isfinite(self._numbers)).argmax())
            raise BadInput(
                str(self.path), wanted="finite numbers", got=f"{self._numbers[at]} at number {at:,}"
            )


def _looks_like(data: bytes) -> str:
    start = data[:64].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "this is a web page: the download went wrong"
    if start.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer, not the file itself"
    return "the cfg comes first, then the weights" if start.startswith((b"[", b"#")) else ""
