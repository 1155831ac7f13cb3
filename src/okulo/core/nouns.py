"""Frozen dataclasses of arrays, checked once on construction; row i is always one thing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int32, Int64

from okulo.core.checks import check_array, check_finite, check_same_length
from okulo.core.errors import BadInput


@dataclass(frozen=True)
class Detections:
    """Objects in one picture: boxes (xyxy, pixels), scores 0 to 1, labels (index of the class).

    >>> len(Detections(np.float32([[0, 0, 2, 2]]), np.float32([0.9]), np.int32([3])))
    1
    >>> Detections(np.float32([[5, 0, 2, 2]]), np.float32([0.9]), np.int32([3]))
    Traceback (most recent call last):
    okulo.core.errors.BadInput: xyxy: x0 > x1 or y0 > y1 in row 0; is this xywh?
    """

    xyxy: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, " n"]
    label: Int32[np.ndarray, " n"]

    def __post_init__(self) -> None:
        check_array("xyxy", self.xyxy, np.float32, (None, 4))
        check_array("score", self.score, np.float32, (None,))
        check_array("label", self.label, np.int32, (None,))
        check_same_length(xyxy=self.xyxy, score=self.score, label=self.label)
        check_finite("xyxy", self.xyxy)
        check_finite("score", self.score)
        crossed = (self.xyxy[:, :2] > self.xyxy[:, 2:]).any(axis=1)
        if crossed.any():
            raise BadInput("xyxy", f"x0 > x1 or y0 > y1 in row {int(crossed.argmax())}", hint="is this xywh?")

    def __len__(self) -> int:
        return len(self.xyxy)


@dataclass(frozen=True)
class Tracks:
    """What a tracker saw: one row an observation of one track at one time, boxes xyxy in pixels."""

    track: Int64[np.ndarray, " n"]
    time_s: Float64[np.ndarray, " n"]
    xyxy: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, " n"]
    label: Int32[np.ndarray, " n"]

    def __post_init__(self) -> None:
        check_array("track", self.track, np.int64, (None,))
        check_array("time_s", self.time_s, np.float64, (None,))
        check_array("xyxy", self.xyxy, np.float32, (None, 4))
        check_array("score", self.score, np.float32, (None,))
        check_array("label", self.label, np.int32, (None,))
        check_same_length(
            track=self.track, time_s=self.time_s, xyxy=self.xyxy, score=self.score, label=self.label
        )
        check_finite("time_s", self.time_s)
        check_finite("xyxy", self.xyxy)

    def __len__(self) -> int:
        return len(self.track)


@dataclass(frozen=True)
class Votes:
    """Who said what of which item: one row a vote; all three are indices."""

    item: Int64[np.ndarray, " n"]
    worker: Int64[np.ndarray, " n"]
    label: Int32[np.ndarray, " n"]

    def __post_init__(self) -> None:
        check_array("item", self.item, np.int64, (None,))
        check_array("worker", self.worker, np.int64, (None,))
        check_array("label", self.label, np.int32, (None,))
        check_same_length(item=self.item, worker=self.worker, label=self.label)
        for name in ("item", "worker", "label"):
            if len(self.item) and getattr(self, name).min() < 0:
                raise BadInput(name, wanted="indices ≥ 0", got=int(getattr(self, name).min()))

    def __len__(self) -> int:
        return len(self.item)


FINDING_SCHEMA = {"item": pl.String, "kind": pl.String, "severity": pl.Float32, "reason": pl.String}


@dataclass(frozen=True)
class Findings:
    """What a look at the data brought up: item (its path), kind, severity 0 to 1, reason in plain words.

    >>> found = Findings.of([("cat/1.png", "unreadable", 1.0, "the file ends after 20 bytes")])
    >>> len(found), found.counts()
    (1, {'unreadable': 1})
    """

    frame: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FINDING_SCHEMA))

    def __post_init__(self) -> None:
        if dict(self.frame.schema) != FINDING_SCHEMA:
            raise BadInput("findings", wanted=FINDING_SCHEMA, got=dict(self.frame.schema))

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str, float, str]]) -> "Findings":
        """Make findings of rows (item, kind, severity, reason)."""
        return cls(pl.DataFrame(list(rows), schema=FINDING_SCHEMA, orient="row"))

    def __len__(self) -> int:
        return len(self.frame)

    def counts(self) -> dict[str, int]:
        """How many of each kind, most first."""
        return dict(
            self.frame["kind"].value_counts(sort=True).sort("count", "kind", descending=[True, False]).rows()
        )


@dataclass(frozen=True)
class Polygons:
    """Polygons of one scene: each a list of rings `(m, 2)` float64, the outer one first, then its holes.

    Rings are not closed (the first point is not repeated). `crs` names the coordinates ("" is pixels).
    """

    rings: tuple[tuple[Float64[np.ndarray, "m 2"], ...], ...]
    crs: str = ""

    def __post_init__(self) -> None:
        for i, polygon in enumerate(self.rings):
            if not polygon:
                raise BadInput(f"polygon {i}", wanted="at least an outer ring", got="none")
            for ring in polygon:
                check_array(f"ring of polygon {i}", ring, np.float64, (None, 2))
                check_finite(f"ring of polygon {i}", ring)
                if len(ring) < 3:
                    raise BadInput(f"ring of polygon {i}", wanted="3 points or more", got=len(ring))

    def __len__(self) -> int:
        return len(self.rings)


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh: vertices `(v, 3)` and faces `(f, 3)`, indices of vertices."""

    vertices: Float64[np.ndarray, "v 3"]
    faces: Int32[np.ndarray, "f 3"]

    def __post_init__(self) -> None:
        check_array("vertices", self.vertices, np.float64, (None, 3))
        check_array("faces", self.faces, np.int32, (None, 3))
        check_finite("vertices", self.vertices)
        if self.faces.size and not 0 <= self.faces.min() <= self.faces.max() < len(self.vertices):
            raise BadInput(
                "faces",
                wanted=f"indices of {len(self.vertices)} vertices",
                got=f"{self.faces.min()} to {self.faces.max()}",
            )

    def __len__(self) -> int:
        return len(self.faces)


@dataclass(frozen=True)
class Series:
    """Many series of different lengths: all values one after another, and where each begins.

    >>> two = Series(np.array([7, 8]), np.float32([1, 2, 3, 9, 9]), np.array([0, 3, 5]))
    >>> [values.tolist() for values in two]
    [[1.0, 2.0, 3.0], [9.0, 9.0]]
    """

    id: Int64[np.ndarray, " n"]
    values: Float32[np.ndarray, " t"]
    offsets: Int64[np.ndarray, " n+1"]

    def __post_init__(self) -> None:
        check_array("id", self.id, np.int64, (None,))
        check_array("values", self.values, np.float32, (None,))
        check_array("offsets", self.offsets, np.int64, (len(self.id) + 1,))
        ends = (int(self.offsets[0]), int(self.offsets[-1]))
        if ends != (0, len(self.values)) or (np.diff(self.offsets) < 0).any():
            raise BadInput(
                "offsets", wanted=f"rising from 0 to {len(self.values)}", got=f"{ends[0]} to {ends[1]}"
            )

    def __len__(self) -> int:
        return len(self.id)

    def __iter__(self) -> Iterator[Float32[np.ndarray, " t"]]:
        return (self.values[a:b] for a, b in zip(self.offsets, self.offsets[1:]))
