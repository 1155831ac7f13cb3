"""Small copies of pictures, made once and kept on disk, whole or absent, within a bound."""

import hashlib
import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from okulo.core.errors import BadInput
from okulo.io.files import inside
from okulo.io.images import encode_jpeg, encode_png, read_image

SIZES = (256, 1280)
"""Longest side of a copy, pixels: for lists, and to look at."""
LOSSLESS_UP_TO = 256
"""Pictures no larger than this stay as they are: a 28-pixel picture must not be blurred by JPEG."""
FORM = b"1"
ENDS = (b"\xff\xd9", b"\xaeB`\x82")
"""How a whole JPEG and a whole PNG end."""
STALE_S = 3600.0


@dataclass(frozen=True)
class Copy:
    """An encoded picture."""

    data: bytes
    tag: str
    """Changes when the file does."""

    @property
    def media_type(self) -> str:
        """What it is."""
        return "image/png" if self.data.startswith(b"\x89PNG") else "image/jpeg"


class Thumbnails:
    """Copies of the pictures below one folder; safe to use from many threads and processes."""

    def __init__(self, root: Path, folder: Path, *, max_bytes: int) -> None:
        self.root, self.folder, self.max_bytes = Path(root), Path(folder), max_bytes
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(str(folder), f"cannot be made ({error.strerror})") from error
        self._lock = threading.Lock()
        self._bytes = self._tidy(max_bytes)

    def get(self, path: str, longest: int) -> Copy:
        """Give the copy of this item's picture; what cannot be shown is BadInput, in few words."""
        try:
            file = inside(self.root, path)
        except (BadInput, OSError, ValueError, RuntimeError) as error:
            raise BadInput("picture", "lies outside of the data folder") from error
        try:
            found = file.stat()
        except OSError as error:
            raise BadInput("picture", "the file is gone") from error
        key = f"{file}\0{found.st_mtime_ns}\0{found.st_size}\0{longest}".encode("utf-8", "surrogateescape")
        tag = hashlib.blake2b(key, digest_size=16, key=FORM).hexdigest()
        kept = self.folder / tag[:2] / tag[2:]
        data = _read_whole(kept)
        if data is None:
            data = encode(shrink(_decode(file), longest))
            self._keep(kept, data)
        return Copy(data, tag)

    def _keep(self, kept: Path, data: bytes) -> None:
        # Not `write_aside`: its fsync would make scrolling wait, and half a copy is seen and made anew.
        try:
            kept.parent.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(suffix=".part", dir=kept.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(kept)
        except OSError:  # a full disk costs time, not the page
            return
        with self._lock:
            self._bytes += len(data)
            full = self._bytes > self.max_bytes
        if full:
            with self._lock:
                self._bytes = self._tidy(self.max_bytes * 3 // 4)

    def _tidy(self, most: int) -> int:
        """Remove the copies that were not used for longest until the rest takes at most so many bytes."""
        files, total = [], 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder, name)
                try:
                    found = path.stat()
                except OSError:  # another process was quicker
                    continue
                if name.endswith(".part") and time.time() - found.st_mtime > STALE_S:
                    path.unlink(missing_ok=True)
                    continue
                files.append((max(found.st_atime, found.st_mtime), found.st_size, path))
                total += found.st_size
        for _, size, path in sorted(files) if total > most else ():
            if total <= most:
                break
            path.unlink(missing_ok=True)
            total -= size
        return total


def shrink(image: UInt8[np.ndarray, "h w 3"], longest: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Make a picture smaller so that its longest side has at most so many pixels; never larger.

    >>> shrink(np.zeros((100, 400, 3), np.uint8), 200).shape
    (50, 200, 3)
    """
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def encode(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Encode for a page: small pictures without loss, others as JPEG."""
    if max(image.shape[:2]) < LOSSLESS_UP_TO:
        return encode_png(image)
    return encode_jpeg(image, quality=88)


def _decode(file: Path) -> UInt8[np.ndarray, "h w 3"]:
    try:
        return read_image(file)
    except BadInput as error:
        raise BadInput("picture", "cannot be decoded") from error


def _read_whole(kept: Path) -> bytes | None:
    try:
        data = kept.read_bytes()
    except OSError:
        return None
    return data if data.endswith(ENDS) else None
