"""What the report tells: groups, the curves that show each, and the band of normal ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64


@dataclass(frozen=True)
class Curve:
    """One recording, and where its work starts (in samples; 0 where it does not work)."""

    id: int
    values: Float32[np.ndarray, " t"]
    start: float
    kind: str

    @property
    def time(self) -> Float64[np.ndarray, " t"]:
        """Samples from the start of work."""
        return np.arange(len(self.values)) - self.start


@dataclass(frozen=True)
class Band:
    """The middle 90 % of normal recordings, and their median, at every sample from the start of work."""

    time: Float64[np.ndarray, " t"]
    low: Float64[np.ndarray, " t"]
    middle: Float64[np.ndarray, " t"]
    high: Float64[np.ndarray, " t"]


@dataclass(frozen=True)
class Shown:
    """A group with the curves that show it."""

    group: dict[str, Any]
    words: str
    """What sets it apart, in the two features that say most."""
    name: str
    typical: tuple[Curve, ...]
    extreme: tuple[Curve, ...]
    members: tuple[Curve, ...]


@dataclass(frozen=True)
class Told:
    """All a page says."""

    title: str
    report: dict[str, Any]
    imported: dict[str, Any]
    reasons: dict[str, int]
    band: Band
    groups: tuple[Shown, ...]
    omitted: int
