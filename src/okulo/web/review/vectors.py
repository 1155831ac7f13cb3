"""The table's vectors: a map in two dimensions, and the nearest neighbours of an item."""

import importlib.util
import threading
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Float64, Int64, UInt16

from okulo.core.errors import BadInput

LEARNT_FROM = 20_000
"""Rows the principal components are taken from, at most."""
CHUNK = 8192
NOWHERE = 65535
"""Coordinate of an item that has no vector."""


class Vectors:
    """A column of vectors, read when first asked for; safe to use from many threads."""

    def __init__(self, path: Path, column: str = "embedding") -> None:
        self.path, self.column = Path(path), column
        self._lock = threading.Lock()
        self._maps: dict[str, UInt16[np.ndarray, "n 2"]] = {}
        self._rows: Float32[np.ndarray, "n d"] | None = None
        self._known: Bool[np.ndarray, " n"] | None = None
        self._scale: Float32[np.ndarray, " n"] | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """How a map can be made here."""
        return ("pca", "umap") if importlib.util.find_spec("umap") else ("pca",)

    def rows(self) -> Float32[np.ndarray, "n d"]:
        """All vectors, as they lie in the table."""
        with self._lock:
            if self._rows is None:
                self._rows = read_vectors(self.path, self.column)
                self._known = np.concatenate([_known(part) for part in _parts(self._rows)])
                if not self._known.any():
                    self._rows = None
                    raise BadInput(f"column {self.column}", wanted="finite vectors", got="none")
                lengths = [np.linalg.norm(part, axis=1) for part in _parts(self._rows)]
                with np.errstate(divide="ignore", invalid="ignore"):
                    self._scale = np.float32(1) / np.concatenate(lengths)
                self._scale[~(self._known & np.isfinite(self._scale))] = 0
            return self._rows

    def map(self, method: str = "pca") -> UInt16[np.ndarray, "n 2"]:
        """Place every item on a square of 0 to 65534; items without a vector are at 65535."""
        if method not in self.methods:
            raise BadInput("map", wanted=f"one of {', '.join(self.methods)}", got=repr(method))
        rows = self.rows()
        with self._lock:
            if method not in self._maps:
                assert self._known is not None
                known = rows[self._known] if not self._known.all() else rows
                flat = project(known) if method == "pca" else _umap(known)
                placed = np.full((len(rows), 2), NOWHERE, np.uint16)
                placed[self._known] = on_square(flat)
                self._maps[method] = placed
            return self._maps[method]

    def nearest(self, row: int, count: int) -> tuple[Int64[np.ndarray, " m"], Float32[np.ndarray, " m"]]:
        """The items most like this one by cosine, itself left out, and the cosine (-1 to 1)."""
        rows = self.rows()
        assert self._scale is not None and self._known is not None
        if not self._scale[row]:
            raise BadInput(f"item {row}", "has no vector")
        with np.errstate(invalid="ignore", over="ignore"):  # rows that are not finite are left out below
            cosine = (rows @ (rows[row] * self._scale[row])) * self._scale
        cosine[self._scale == 0] = -np.inf
        cosine[row] = -np.inf
        count = min(count, len(rows) - 1)
        if count < 1:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        best = np.argpartition(-cosine, count - 1)[:count]
        best = best[np.lexsort((best, -cosine[best]))]
        best = best[np.isfinite(cosine[best])]
        return best.astype(np.int64), cosine[best].clip(-1, 1).astype(np.float32)


def read_vectors(path: Path, column: str) -> Float32[np.ndarray, "n d"]:
    """Read a column of vectors of one length; rows without one, or with NaN in it, become NaN rows."""
    try:
        values = pl.read_parquet(path, columns=[column])[column]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput(f"column {column}", "cannot be read; was the table changed?") from error
    if isinstance(values.dtype, pl.List):
        lengths = values.list.len().drop_nulls().unique().to_list()
        if len(lengths) != 1:
            raise BadInput(
                f"column {column}", wanted="vectors of one length", got=f"lengths {sorted(lengths)}"
            )
        values = values.cast(pl.Array(pl.Float32, lengths[0]))
    if not isinstance(values.dtype, pl.Array):
        raise BadInput(f"column {column}", wanted="vectors", got=values.dtype)
    return np.asarray(values.to_numpy(), np.float32)


def project(rows: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n 2"]:
    """Lay vectors on their two principal components (largest variance first; the sign is set).

    >>> project(np.float32([[0, 0, 1], [3, 0, 1], [0, 1, 1], [3, 1, 1]])).round(2)[:, 0].tolist()
    [-1.5, 1.5, -1.5, 1.5]
    """
    sample = rows[:: max(1, -(-len(rows) // LEARNT_FROM))].astype(np.float64)
    mean = sample.mean(axis=0)
    sample -= mean
    axes: Float64[np.ndarray, "d m"] = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    if axes.shape[1] < 2:
        axes = np.column_stack([axes, np.zeros(len(axes))])
    flat = [(part - mean.astype(np.float32)) @ axes.astype(np.float32) for part in _parts(rows)]
    return np.concatenate(flat).astype(np.float32)


def on_square(flat: Float32[np.ndarray, "n 2"]) -> UInt16[np.ndarray, "n 2"]:
    """Scale to a square of 0 to 65534, both axes alike; the outermost in a thousand are drawn at its rim.

    >>> on_square(np.float32([[0, 0], [2, 1]])).tolist()
    [[0, 16383], [65534, 49150]]
    """
    low, high = np.quantile(flat, [0.001, 0.999], axis=0) if len(flat) > 1000 else (flat.min(0), flat.max(0))
    span = float((high - low).max()) or 1.0
    middle = (low + high) / 2
    unit = ((flat - middle) / span + 0.5).clip(0, 1)
    return np.asarray(unit * (NOWHERE - 1), np.uint16)


def _umap(rows: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n 2"]:
    umap = importlib.import_module("umap")
    flat = umap.UMAP(n_components=2, metric="cosine", n_neighbors=min(15, len(rows) - 1)).fit_transform(rows)
    return np.asarray(flat, np.float32)


def _known(part: Float32[np.ndarray, "n d"]) -> Bool[np.ndarray, " n"]:
    return np.asarray(np.isfinite(part).all(axis=1))


def _parts(rows: Float32[np.ndarray, "n d"]) -> list[Float32[np.ndarray, "m d"]]:
    return [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
