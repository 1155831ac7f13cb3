"""Which kind of index, how it is set, and why."""

import math
from dataclasses import dataclass

from okulo.core.errors import BadInput

KINDS = ("flat", "hnsw", "ivfpq")
FLAT_BYTES = 400e6
"""Exact search reads all vectors for each query; so many bytes take about 40 ms on one core."""
HNSW_ROWS = 500_000
"""More rows take longer than some ten minutes of two cores to build."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One index's kind and figures; those of other kinds mean nothing to it.

    hnsw: links a row (`links`), how far is looked when building (`build_effort`) and searching (`effort`).
    ivfpq: `lists` of the inverted file, how many are looked into (`probes`), bytes a row is kept in
    (`code_bytes`), and how many candidates for each place of the answer are compared exactly (`refine`).
    """

    kind: str = "flat"
    links: int = 32
    build_effort: int = 40
    effort: int = 64
    lists: int = 0
    probes: int = 0
    code_bytes: int = 0
    refine: int = 20

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInput("kind", wanted=f"one of {', '.join(KINDS)}", got=repr(self.kind))


@dataclass(frozen=True)
class Choice:
    """A kind, and the reason in plain words."""

    kind: str
    reason: str


def choose(rows: int, length: int, memory_gb: float) -> Choice:
    """Choose by size and by how much memory searching may take.

    >>> choose(20_000, 512, 4.0).kind, choose(300_000, 512, 4.0).kind, choose(10_000_000, 512, 4.0).kind
    ('flat', 'hnsw', 'ivfpq')
    """
    whole = 4.0 * rows * length
    size = f"{rows:,} vectors of {length} values are {said_bytes(whole)}"
    if whole <= FLAT_BYTES and whole <= memory_gb * 1e9:
        ms = max(1, round(whole / 10e9 * 1e3))
        return Choice("flat", f"{size}: comparing all takes some {ms} ms a query and misses nothing")
    if rows <= HNSW_ROWS and hnsw_bytes(rows, length) <= memory_gb * 1e9:
        return Choice("hnsw", f"{size}: too slow to compare all, and with links they fit {memory_gb:g} GB")
    if rows <= HNSW_ROWS:
        return Choice("ivfpq", f"{size}: with links more than the {memory_gb:g} GB given")
    return Choice("ivfpq", f"{size}: links between so many would take long to build, short codes do not")


def hnsw_bytes(rows: int, length: int, links: int = 32) -> float:
    """Memory of a graph index, bytes: vectors, and twice `links` neighbours a row on the lowest level."""
    return rows * (4.0 * length + 8.0 * links + 16)


def settle(kind: str, rows: int, length: int) -> Settings:
    """Set a kind's figures by size: about √n lists, codes of an eighth of the vector's values.

    >>> settle("ivfpq", 1_000_000, 512)
    Settings(kind='ivfpq', ..., lists=1024, probes=32, code_bytes=64, refine=20)
    """
    if kind != "ivfpq":
        return Settings(kind=kind)
    lists = max(1, min(2 ** round(math.log2(max(1.0, math.sqrt(rows)))), rows // 40))
    code = max(
        (c for c in (8, 16, 32, 64, 96, 128) if length % c == 0 and c <= max(8, length // 8)), default=1
    )
    return Settings(kind=kind, lists=lists, probes=max(1, min(lists, max(8, lists // 32))), code_bytes=code)


def said_bytes(count: float) -> str:
    """Bytes in words.

    >>> said_bytes(2.05e9), said_bytes(300)
    ('2.0 GB', '300 bytes')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"
