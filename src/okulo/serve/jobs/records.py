"""What the job store takes and gives: jobs, items, leases, outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Version = tuple[str, str]
"""Name and version of a model."""


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """A picture handed over: a part of the job's pack, or a file under an allowed root."""

    name: str
    path: str = ""
    start: int = 0
    length: int = 0


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job that is not stored yet."""

    id: str
    model: str
    version: str
    items: Sequence[NewItem]
    pack: str = ""
    top: int = 5
    outputs: tuple[str, ...] = ()
    request_key: str = ""
    """What the client calls this request: sent again, it is the same job."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """How far a job is."""

    id: str
    model: str
    version: str
    state: str
    """waiting (no result yet), running, done or cancelled."""
    items: int
    done: int
    failed: int
    bytes: int
    created_s: float
    """Seconds since 1970, UTC."""
    ended_s: float | None


@dataclass(frozen=True, kw_only=True)
class Leased:
    """An item that is ours to work on."""

    job: int
    number: int
    attempts: int
    model: str
    version: str
    top: int
    outputs: tuple[str, ...]
    pack: str
    path: str
    start: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an item: the answer as JSON, or why there is none."""

    job: int
    number: int
    answer: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Row:
    """One row of a job's result."""

    index: int
    name: str
    state: int
    answer: dict[str, Any] | None
    error: str | None
