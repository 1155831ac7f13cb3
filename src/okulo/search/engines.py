"""FAISS indexes over one block of vectors: everything compared (flat), a graph (HNSW), short codes (IVF-PQ).

Each keeps the exact vectors beside, mapped from disk, so that any row can be had again: for query
expansion, for re-ranking, and to compare the candidates of short codes exactly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from okulo.core.errors import BadInput
from okulo.io.files import write_aside
from okulo.search.exact import Found, fill, nearest, nothing
from okulo.search.settings import Settings, hnsw_bytes, settle

FEW = 0.1
"""With a smaller share of rows allowed, only those are compared, all of them."""
SAMPLE = 64
"""Rows for each list that an inverted file learns from."""
TAIL_ROWS = 10_000
TAIL_SHARE = 0.02
LEAST_ROWS = 1_000
"""With fewer, short codes have nothing to learn from."""


def _faiss() -> Any:
    import faiss  # its types say less than it takes

    return faiss


@dataclass
class Engine:
    """One block of vectors (length 1) and what finds them; rows are numbered from 0 as they were added."""

    settings: Settings
    base: Any
    """FAISS's flat index: the vectors themselves."""
    extra: Any | None
    """Its graph or its codes."""
    mapped: bool = False
    """The vectors lie on disk and are read as they are needed."""

    def __len__(self) -> int:
        return int(self.base.ntotal)

    @property
    def matrix(self) -> Float32[np.ndarray, "n d"]:
        """The vectors; not to be written to."""
        faiss = _faiss()

        if not len(self):
            return np.zeros((0, self.base.d), np.float32)
        flat: np.ndarray = faiss.rev_swig_ptr(self.base.get_xb(), len(self) * self.base.d)
        return flat.reshape(len(self), self.base.d)

    def search(
        self, queries: Float32[np.ndarray, "q d"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> Found:
        """Find the k nearest of the rows allowed; only flat promises to miss none."""
        if not len(self) or not len(queries):
            return nothing(len(queries), k)
        share = 1.0 if allowed is None else float(allowed.mean())
        if self.extra is None or share < FEW:
            return nearest(queries, self.matrix, k, allowed)
        return SEARCHES[self.settings.kind](self, queries, k, allowed if share < 1 else None, share)

    def take(self, rows: Int64[np.ndarray, "..."]) -> Float32[np.ndarray, "... d"]:
        """The vectors of these rows."""
        return np.asarray(self.matrix[rows])

    @property
    def grows_at(self) -> int:
        """So many new rows are worth putting in; fewer are kept beside and compared whole."""
        return round(max(TAIL_ROWS, TAIL_SHARE * len(self)))

    def append(self, vectors: Float32[np.ndarray, "n d"]) -> None:
        """Add rows to the graph or to the lists; nothing is built anew."""
        _own(self)
        if self.settings.kind == "hnsw":
            assert self.extra is not None
            self.extra.add(vectors)  # its storage is `base`
            return
        self.base.add(vectors)
        if self.extra is not None:
            self.extra.add(vectors)

    def write(self, folder: Path, generation: int) -> dict[str, str]:
        """Write the index's files, each whole or not at all; gives their names."""
        faiss = _faiss()

        files = {"base": f"vectors-{generation}.faiss"}
        with write_aside(folder / files["base"]) as aside:
            faiss.write_index(self.base, str(aside))
        if self.extra is not None:
            files["extra"] = f"{self.settings.kind}-{generation}.faiss"
            with write_aside(folder / files["extra"]) as aside:
                faiss.write_index(self.extra, str(aside), faiss.IO_FLAG_SKIP_STORAGE)
        return files

    @property
    def memory(self) -> float:
        """Bytes a search touches: vectors, links or codes (of codes' vectors only the candidates)."""
        rows, length = len(self), int(self.base.d)
        if self.settings.kind == "hnsw":
            return hnsw_bytes(rows, length, self.settings.links)
        if self.settings.kind == "ivfpq":
            return rows * (self.settings.code_bytes + 8.0) + 4.0 * length * self.settings.lists
        return 4.0 * rows * length


def build(vectors: Float32[np.ndarray, "n d"], settings: Settings, seed: int = 0) -> Engine:
    """Build an index of this kind over vectors of length 1."""
    faiss = _faiss()

    length = int(vectors.shape[1])
    base = faiss.IndexFlatIP(length)
    if settings.kind == "hnsw":
        engine = Engine(settings, base, _graph(base, settings))
        engine.append(vectors)
        return engine
    base.add(vectors)
    if settings.kind == "flat":
        return Engine(settings, base, None)
    if len(vectors) < LEAST_ROWS:
        raise BadInput(
            "kind ivfpq",
            wanted=f"at least {LEAST_ROWS:,} vectors",
            got=len(vectors),
            hint="--kind flat does it",
        )
    if not settings.lists:
        settings = settle("ivfpq", len(vectors), length)
    if length % settings.code_bytes:
        raise BadInput("code-bytes", wanted=f"a divisor of {length}", got=settings.code_bytes)
    extra = faiss.IndexIVFPQ(faiss.IndexFlatL2(length), length, settings.lists, settings.code_bytes, 8)
    extra.cp.max_points_per_centroid = SAMPLE
    extra.cp.min_points_per_centroid = extra.pq.cp.min_points_per_centroid = 1  # it would print a warning
    rng = np.random.default_rng(seed)
    most = max(SAMPLE * settings.lists, 20_000)
    rows = np.sort(rng.choice(len(vectors), most, replace=False)) if most < len(vectors) else slice(None)
    extra.train(vectors[rows])
    extra.add(vectors)
    return Engine(settings, base, extra)


def _graph(base: Any, settings: Settings) -> Any:
    faiss = _faiss()

    graph = faiss.IndexHNSWFlat(base.d, settings.links, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = settings.build_effort
    _attach(graph, base)
    return graph


def _attach(graph: Any, base: Any) -> None:
    graph.storage = base
    graph.own_fields = False  # FAISS keeps a bare pointer: the engine keeps `base` alive


def _own(engine: Engine) -> None:
    """Mapped vectors cannot grow: copy them into memory first."""
    faiss = _faiss()

    if engine.mapped:
        whole = faiss.IndexFlatIP(engine.base.d)
        whole.add(engine.matrix)
        engine.base, engine.mapped = whole, False
        if engine.settings.kind == "hnsw":
            _attach(engine.extra, whole)


def _by_graph(
    engine: Engine, queries: np.ndarray, k: int, allowed: Bool[np.ndarray, " n"] | None, share: float
) -> Found:
    faiss = _faiss()

    assert engine.extra is not None
    effort = round(max(engine.settings.effort, k) / share)
    said = faiss.SearchParametersHNSW(efSearch=effort, **_selecting(allowed))
    score, row = engine.extra.search(queries, min(k, len(engine)), params=said)
    return fill(score, row, k)


def _by_codes(
    engine: Engine, queries: np.ndarray, k: int, allowed: Bool[np.ndarray, " n"] | None, share: float
) -> Found:
    faiss = _faiss()

    assert engine.extra is not None
    probes = min(engine.settings.lists, round(engine.settings.probes / share))
    said = faiss.SearchParametersIVF(nprobe=probes, **_selecting(allowed))
    many = min(len(engine), k * max(1, engine.settings.refine))
    rows = engine.extra.search(queries, many, params=said)[1].astype(np.int64)
    return _refined(queries, rows, engine.matrix, k)


def _refined(
    queries: Float32[np.ndarray, "q d"],
    rows: Int64[np.ndarray, "q m"],
    base: Float32[np.ndarray, "n d"],
    k: int,
) -> Found:
    """Compare candidates exactly and keep the best k."""
    score = np.empty(rows.shape, np.float32)
    for i, query in enumerate(queries):
        score[i] = base[rows[i]] @ query
    score[rows < 0] = -np.inf
    order = np.argsort(-score, axis=1, kind="stable")[:, :k]
    return fill(np.take_along_axis(score, order, axis=1), np.take_along_axis(rows, order, axis=1), k)


def _selecting(allowed: Bool[np.ndarray, " n"] | None) -> dict[str, Any]:
    faiss = _faiss()

    if allowed is None:
        return {}
    return {"sel": faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))}


SEARCHES: Mapping[str, Callable[..., Found]] = {"hnsw": _by_graph, "ivfpq": _by_codes}


def open_engine(settings: Settings, folder: Path, files: Mapping[str, str]) -> Engine:
    """Open what `Engine.write` wrote; the vectors are mapped, not read."""
    faiss = _faiss()

    try:
        base = faiss.read_index(str(folder / files["base"]), faiss.IO_FLAG_MMAP_IFC)
        extra = None
        if "extra" in files:
            extra = faiss.read_index(str(folder / files["extra"]), faiss.IO_FLAG_SKIP_STORAGE)
    except RuntimeError as error:  # FAISS's only error
        reason = str(error).rpartition("Error: ")[2].partition("\n")[0][:160]
        raise BadInput(str(folder), f"its vectors cannot be read ({reason})") from error
    if settings.kind == "hnsw":
        _attach(extra, base)
    if extra is not None and extra.ntotal != base.ntotal:
        raise BadInput(
            str(folder), f"holds {base.ntotal} vectors but finds {extra.ntotal}", hint="build it anew"
        )
    return Engine(settings, base, extra, mapped=True)
