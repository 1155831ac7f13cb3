"""Taking in a job: a form is written to disk while it comes, so that memory stays flat however long it is."""

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from okulo.core.errors import BadInput
from okulo.io.files import inside
from okulo.serve.http import Receive, TooLarge
from okulo.serve.jobs.records import NewItem
from okulo.serve.refusals import Gone, Late

AT_ONCE = 1 << 20
"""Bytes of a form that are parsed and written in one go."""
LONGEST_NAME = 512


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What one job may ask for."""

    max_items: int = 10_000
    max_bytes: int = 1 << 30
    max_picture_bytes: int = 32 << 20
    pause_s: float = 30.0
    """A client that sends nothing for so long is given up."""


async def chunks_of(receive: Receive, bounds: Bounds, to: "FormWriter | bytearray", max_bytes: int) -> None:
    """Hand a body on as it comes, about a megabyte at a time; longer than `max_bytes` is TooLarge."""
    waiting, total, more = bytearray(), 0, True
    while more:
        try:
            async with asyncio.timeout(bounds.pause_s):
                message = await receive()
        except TimeoutError:
            raise Late("the body did not come in time") from None
        if message["type"] == "http.disconnect":
            raise Gone
        waiting += message.get("body", b"")
        more = message.get("more_body", False)
        total += len(message.get("body", b""))
        if total > max_bytes:
            raise TooLarge(f"the body may have at most {max_bytes:,} bytes")
        if isinstance(to, bytearray):
            to += waiting
            waiting.clear()
        elif waiting and (len(waiting) >= AT_ONCE or not more):
            await asyncio.to_thread(to.write, bytes(waiting))
            waiting.clear()


class FormWriter:
    """Writes the parts of a form into a pack as they come: each is a picture."""

    def __init__(self, content_type: str, pack: BinaryIO, bounds: Bounds) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise BadInput("multipart/form-data", wanted="a boundary", got="none")
        self.items: list[NewItem] = []
        self._pack, self._bounds = pack, bounds
        self._start = self._end = 0
        self._field, self._value, self._name = bytearray(), bytearray(), ""
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header,
                "on_part_data": self._data,
                "on_part_end": self._finish,
                "on_end": self._over,
            },
        )

    def write(self, data: bytes) -> None:
        """Take the next part of the body."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadInput("form", f"cannot be read ({error})") from error

    def close(self) -> list[NewItem]:
        """The pictures; a form that ends too early is BadInput."""
        if not self._ended:
            raise BadInput("form", "ends before its last boundary")
        return self.items

    def _begin(self) -> None:
        if len(self.items) >= self._bounds.max_items:
            raise TooLarge(f"a job may have at most {self._bounds.max_items:,} pictures")
        self._start, self._name = self._end, str(len(self.items))

    def _header(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            said = parse_options_header(bytes(self._value))[1].get(b"filename", b"")
            self._name = as_name(said.decode(errors="replace")) or self._name
        self._field.clear()
        self._value.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._end += end - start
        if self._end - self._start > self._bounds.max_picture_bytes:
            raise TooLarge(f"a picture may have at most {self._bounds.max_picture_bytes:,} bytes")
        self._pack.write(data[start:end])

    def _finish(self) -> None:
        self.items.append(NewItem(name=self._name, start=self._start, length=self._end - self._start))

    def _over(self) -> None:
        self._ended = True


def read_json(body: bytes, bounds: Bounds) -> tuple[str, list[str]]:
    """Read `{"images": […]}` or `{"paths": […]}`: which of them, and the list."""
    try:
        said = orjson.loads(body)
    except ValueError as error:
        raise BadInput("request", f"is no JSON ({error})") from error
    wanted = 'either {"images": ["<base64>", …]} or {"paths": ["…", …]}'
    if not isinstance(said, dict) or len(given := [k for k in ("images", "paths") if k in said]) != 1:
        raise BadInput("request", wanted=wanted, got=type(said).__name__)
    listed = said[given[0]]
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise BadInput(given[0], wanted="a list of texts", got=type(listed).__name__)
    if not 1 <= len(listed) <= bounds.max_items:
        raise BadInput(given[0], wanted=f"1 to {bounds.max_items:,}", got=len(listed))
    return given[0], listed


def write_images(images: Sequence[str], pack: BinaryIO, bounds: Bounds) -> list[NewItem]:
    """Write pictures given as base64 into a pack."""
    items, end = [], 0
    for index, each in enumerate(images):
        try:
            data = base64.b64decode(each.rpartition(",")[2], validate=True)  # a data: URL will do
        except (binascii.Error, ValueError) as error:
            raise BadInput(f"images[{index}]", f"is no base64 ({error})") from error
        if len(data) > bounds.max_picture_bytes:
            raise TooLarge(f"a picture may have at most {bounds.max_picture_bytes:,} bytes")
        pack.write(data)
        items.append(NewItem(name=str(index), start=end, length=len(data)))
        end += len(data)
    return items


def name_paths(paths: Sequence[str], roots: Sequence[Path]) -> list[NewItem]:
    """Take files under the allowed roots; one that leads out of them refuses the whole job."""
    if not roots:
        raise BadInput("paths", "this server reads no files", hint="--jobs-root FOLDER allows those below it")
    return [NewItem(name=as_name(each), path=str(resolve(each, roots))) for each in paths]


def resolve(path: str, roots: Sequence[Path]) -> Path:
    """Say which file is meant, by a path or a file:// URL, if it lies under a root (links followed).

    >>> resolve("file:///data/a%20b.png", [Path("/data")])
    PosixPath('/data/a b.png')
    >>> resolve("../etc/passwd", [Path("/data")])
    Traceback (most recent call last):
    okulo.core.errors.BadInput: ../etc/passwd: lies under no folder that this server may read
    """
    meant = path
    if "://" in path:
        parts = urlsplit(path)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            raise BadInput(as_name(path), wanted="a path or a file:/// URL", got=f"{parts.scheme}://")
        meant = unquote(parts.path)
    for root in roots:
        try:
            found = inside(root, meant)
            str(found).encode()  # no database stores what is no UTF-8
            return found
        except (BadInput, ValueError, OSError):  # NUL bytes and endless links are nobody's file
            continue
    raise BadInput(as_name(path), "lies under no folder that this server may read")


def as_name(text: str) -> str:
    """Make a name that any database and terminal can take."""
    kept = "".join(each for each in text[:LONGEST_NAME] if each.isprintable())
    return kept.encode("utf-8", "replace").decode()


def is_form(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a form comes (or JSON); anything else, or packed, is BadInput."""
    if headers.get(b"content-encoding", b"identity") not in (b"", b"identity"):
        raise BadInput(
            "content-encoding", wanted="identity", got="something else", hint="pictures are packed"
        )
    said = headers.get(b"content-type", b"").decode("latin1")
    kind = parse_options_header(said)[0]
    if kind not in (b"multipart/form-data", b"application/json"):
        raise BadInput("content-type", wanted="multipart/form-data or application/json", got=repr(said[:80]))
    return kind == b"multipart/form-data"
