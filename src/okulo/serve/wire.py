"""Values between processes and machines: plain JSON and, behind it, arrays and bytes as they lie in memory.

Nothing is unpickled. A message is a count of header bytes (8, little-endian), the header (JSON), and the
buffers, each starting at a multiple of 64.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from okulo.core.errors import BadInput

ALIGN = 64
ARRAY, BYTES = "$array", "$bytes"
MAX_DEPTH = 32

Buffer = bytes | bytearray | memoryview


def pack(value: Any) -> tuple[int, list[tuple[int, Buffer]]]:
    """Lay a value out: the whole size, and which bytes go where (see `packed`, `pack_into`)."""
    buffers: list[memoryview] = []
    header = orjson.dumps(_plain(value, buffers, 0))
    at = _next(8 + len(header))
    parts: list[tuple[int, Buffer]] = [(0, struct.pack("<Q", len(header)) + header)]
    for each in buffers:
        parts.append((at, each))
        at = _next(at + each.nbytes)
    return at, parts


def packed(value: Any) -> bytearray:
    """One message.

    >>> unpack(packed({"area": np.float32([1, 2]), "name": "roof"}))
    {'area': array([1., 2.], dtype=float32), 'name': 'roof'}
    """
    size, parts = pack(value)
    message = bytearray(size)
    put(memoryview(message), parts)
    return message


def put(memory: memoryview, parts: Sequence[tuple[int, Buffer]]) -> None:
    """Copy what `pack` laid out into memory."""
    for at, part in parts:
        memory[at : at + len(part)] = part


def unpack(message: Buffer) -> Any:
    """Read a message; its arrays are views of it. A broken one is BadInput."""
    memory = memoryview(message).toreadonly()
    try:
        (length,) = struct.unpack_from("<Q", memory)
        if not 0 < length <= len(memory) - 8:
            raise ValueError("its header is longer than itself")
        header = orjson.loads(memory[8 : 8 + length])
        return _rich(header, memory, _Cursor(_next(8 + length)), 0)
    except (ValueError, TypeError, KeyError, IndexError, struct.error, RecursionError) as error:
        raise BadInput("message", f"cannot be read ({error})") from error


def _next(at: int) -> int:
    return -(-at // ALIGN) * ALIGN


class _Cursor:
    """Where the next buffer starts; buffers lie in the order in which the header names them."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


def _plain(value: Any, buffers: list[memoryview], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise BadInput("message", wanted=f"values nested at most {MAX_DEPTH} deep", got="more")
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            raise BadInput("message", wanted="arrays of numbers", got=value.dtype)
        buffers.append(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        return {ARRAY: [value.dtype.str, list(value.shape)]}
    if isinstance(value, bytes | bytearray | memoryview):
        buffers.append(memoryview(value).cast("B"))
        return {BYTES: len(value)}
    if isinstance(value, dict):
        if not all(isinstance(key, str) and not key.startswith("$") for key in value):
            raise BadInput("message", wanted="names that are text and start without $", got=list(value)[:5])
        return {key: _plain(item, buffers, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, buffers, depth + 1) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise BadInput("message", wanted="numbers, text, lists, names and arrays", got=type(value).__name__)


def _rich(value: Any, memory: memoryview, cursor: _Cursor, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, list):
        return [_rich(item, memory, cursor, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if ARRAY in value:
        name, shape = value[ARRAY]
        dtype = np.dtype(str(name))
        if dtype.kind not in "biuf" or not all(isinstance(side, int) and side >= 0 for side in shape):
            raise ValueError(f"no array of numbers: {value[ARRAY]}")
        count = 1
        for side in shape:
            count *= side
        return np.frombuffer(_take(memory, cursor, count * dtype.itemsize), dtype).reshape(shape)
    if BYTES in value:
        return bytes(_take(memory, cursor, int(value[BYTES])))
    return {key: _rich(item, memory, cursor, depth + 1) for key, item in value.items()}


def _take(memory: memoryview, cursor: _Cursor, size: int) -> memoryview:
    start, end = cursor.at, cursor.at + size
    if size < 0 or end > len(memory):
        raise ValueError("a buffer is longer than the message")
    cursor.at = _next(end)
    return memory[start:end]
