"""An index: a folder with vectors, what finds them, and the table's columns to filter by.

Added items go to a tail that is compared whole; when it has grown, it is put into the graph or the lists.
Deleted rows stay where they are and are passed over. Each change writes new files beside the old ones and
then `index.json`: whoever opens it sees the state before or the one after, also when a writer was killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

from okulo.core.errors import BadInput
from okulo.io.files import write_aside
from okulo.io.tables import write_parquet
from okulo.search.engines import build, open_engine
from okulo.search.exact import Found, check_vectors, merge, nearest, unit
from okulo.search.manifest import NAME, Manifest, read_manifest, write_manifest, writing
from okulo.search.settings import Settings
from okulo.search.where import where

VECTOR = "okulo.vector"
AGAIN = 3


@runtime_checkable
class Block(Protocol):
    """Vectors and what finds them: FAISS here, or a database elsewhere."""

    @property
    def settings(self) -> Settings:
        """Kind and figures."""
        ...

    @property
    def grows_at(self) -> int:
        """So many new rows are worth putting in."""
        ...

    @property
    def memory(self) -> float:
        """Bytes a search touches here."""
        ...

    def __len__(self) -> int: ...

    def search(
        self, queries: Float32[np.ndarray, "q d"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> Found:
        """The k nearest rows of those allowed."""
        ...

    def take(self, rows: Int64[np.ndarray, "..."]) -> Float32[np.ndarray, "... d"]:
        """The vectors of these rows."""
        ...

    def append(self, vectors: Float32[np.ndarray, "n d"]) -> None:
        """Put further rows in."""
        ...

    def write(self, folder: Path, generation: int) -> dict[str, str]:
        """Write what lies here; gives the files' names."""
        ...


@dataclass
class Index:
    """An index as it was when it was opened; to change it opens it anew."""

    folder: Path
    manifest: Manifest
    items: pl.DataFrame
    """Row i is vector i."""
    engine: Block
    tail: Float32[np.ndarray, "t d"]
    alive: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return int(self.alive.sum())

    @property
    def root(self) -> Path:
        """The folder that the items' paths start from: the one the index lies in."""
        return self.folder.resolve().parent

    def nearest(self, queries: np.ndarray, k: int, allowed: Bool[np.ndarray, " n"] | None = None) -> Found:
        """Find the k items most like each query (vectors of the index's model), of those allowed."""
        if k < 1:
            raise BadInput("k", wanted="1 or more", got=k)
        if not len(self):
            raise BadInput(str(self.folder), "is empty: there is nothing to find")
        asked = unit("query", queries, self.manifest.length)
        kept = self.alive if allowed is None else self.alive & allowed
        main, every = len(self.engine), bool(kept.all())
        k = min(k, len(kept))
        best = self.engine.search(asked, k, None if every else kept[:main])
        if len(self.tail):
            late = nearest(asked, self.tail, k, kept[main:])
            best = merge(best, Found(late.score, np.where(late.row >= 0, late.row + main, -1)), k)
        return best

    def vectors(self, rows: Int64[np.ndarray, "..."]) -> Float32[np.ndarray, "... d"]:
        """The vectors of these rows, length 1."""
        main = len(self.engine)
        if not len(self.tail):
            return self.engine.take(rows)
        late = rows >= main
        out = np.empty((*rows.shape, self.manifest.length), np.float32)
        out[~late] = self.engine.take(rows[~late])
        out[late] = self.tail[rows[late] - main]
        return out

    def allowed(self, text: str) -> Bool[np.ndarray, " n"] | None:
        """Which rows a condition lets through; None for all."""
        return where(self.items, text) if text.strip() else None

    def expect_model(self, fingerprint: str) -> None:
        """Raise BadInput unless this is the model whose vectors these are."""
        if fingerprint != self.manifest.model:
            raise BadInput(
                str(self.folder),
                f"was made with another model ({_short(self.manifest.model)}, this is {_short(fingerprint)})",
                hint="vectors of two models cannot be compared; build an index with this one",
            )

    def row_of(self, path: str) -> int:
        """The living row of this path."""
        rows = np.flatnonzero((self.items["path"] == path).to_numpy() & self.alive)
        if not len(rows):
            raise BadInput(path, "is not in the index")
        return int(rows[0])

    @property
    def memory(self) -> float:
        """Bytes a search touches."""
        return self.engine.memory + self.tail.nbytes


def _short(fingerprint: str) -> str:
    return fingerprint[:8] if len(fingerprint) == 32 else fingerprint


def create(
    folder: Path, manifest: Manifest, items: pl.DataFrame, vectors: np.ndarray, seed: int = 0
) -> Index:
    """Build and write an index; row i of `items` is what vector i shows. One that is there is replaced."""
    lengthened = _of_items(items, unit("vectors", vectors, manifest.length))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(str(folder), f"cannot be made ({error.strerror})") from error
    if any(folder.iterdir()) and not (folder / NAME).is_file():
        raise BadInput(
            str(folder), "is a folder with other things in it", hint="name one that is not there yet"
        )
    with writing(folder):
        before = read_manifest(folder).generation if (folder / NAME).is_file() else 0
        engine = _build(lengthened, manifest, seed)
        manifest = replace(manifest, generation=before, files={}, settings=engine.settings)
        none = np.zeros((0, manifest.length), np.float32)
        said = Index(folder, manifest, items, engine, none, np.ones(len(items), bool))
        return _commit(said, main_changed=True)


def _build(vectors: Float32[np.ndarray, "n d"], manifest: Manifest, seed: int) -> Block:
    if not manifest.store:
        return build(vectors, manifest.settings, seed)
    from okulo.search.milvus import build_milvus

    return build_milvus(vectors, manifest)


def _of_items(items: pl.DataFrame, vectors: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    if len(items) != len(vectors):
        raise BadInput("vectors", wanted=f"{len(items)}, one an item", got=len(vectors))
    return vectors


def open_index(folder: Path) -> Index:
    """Open an index for searching."""
    folder = Path(folder)
    for left in reversed(range(AGAIN)):
        manifest = read_manifest(folder)
        try:
            return _open(folder, manifest)
        except (BadInput, FileNotFoundError):
            # A writer may have replaced the files between reading index.json and opening them.
            if left == 0 or read_manifest(folder).generation == manifest.generation:
                raise
    raise AssertionError


def _open(folder: Path, manifest: Manifest) -> Index:
    files = manifest.files
    engine: Block
    if manifest.store:
        from okulo.search.milvus import open_milvus

        engine = open_milvus(manifest)
    else:
        engine = open_engine(manifest.settings, folder, files)
    try:
        items = pl.read_parquet(folder / files["items"])
        tail = np.zeros((0, manifest.length), np.float32)
        if "tail" in files:
            late = pl.read_parquet(folder / files["tail"])
            tail = np.ascontiguousarray(late[VECTOR].to_numpy(), np.float32)
            items = pl.concat([items, late.drop(VECTOR)], how="vertical")
        alive = np.ones(len(items), bool)
        if "dead" in files:
            alive[np.load(folder / files["dead"])] = False
    except (pl.exceptions.PolarsError, OSError, KeyError, ValueError, IndexError) as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(str(folder), f"cannot be read ({reason})", hint="build it anew") from error
    if len(items) != len(engine) + len(tail):
        raise BadInput(str(folder), f"has {len(engine) + len(tail)} vectors for {len(items)} items")
    return Index(folder, manifest, items, engine, tail, alive)


def add(folder: Path, items: pl.DataFrame, vectors: np.ndarray) -> Index:
    """Put items into an index, whose columns they must have; what is missing among them is empty."""
    with writing(folder):
        index = open_index(folder)
        return _commit(*_added(index, items, unit("vectors", vectors, index.manifest.length)))


def remove(folder: Path, paths: Sequence[str]) -> Index:
    """Take items out of an index; a path it does not hold is BadInput."""
    with writing(folder):
        index = open_index(folder)
        return _commit(_removed(index, paths), main_changed=False)


def update(
    folder: Path, gone: Sequence[str], items: pl.DataFrame, vectors: np.ndarray, columns: pl.DataFrame
) -> Index:
    """Make several changes at once: paths that go, items that come, and other columns for those that stay.

    `columns` has a `path` and any of the index's columns; it replaces what the items of these paths say.
    """
    with writing(folder):
        index = _removed(open_index(folder), gone)
        changed = False
        if len(columns):
            index = replace(index, items=index.items.update(columns, on="path", how="left"))
        if len(items):
            index, changed = _added(index, items, unit("vectors", vectors, index.manifest.length))
        return _commit(index, main_changed=changed)


def compact(folder: Path, seed: int = 0) -> Index:
    """Build the index anew from its own vectors, without what was deleted."""
    with writing(folder):
        index = open_index(folder)
        kept = np.flatnonzero(index.alive)
        if not len(kept):
            raise BadInput(str(folder), "is empty: there is nothing to build of")
        engine = _build(index.vectors(kept), index.manifest, seed)
        none = np.zeros((0, index.manifest.length), np.float32)
        items, alive = index.items[kept], np.ones(len(kept), bool)
        return _commit(replace(index, items=items, engine=engine, tail=none, alive=alive), main_changed=True)


def _removed(index: Index, paths: Sequence[str]) -> Index:
    if not len(paths):
        return index
    there = index.items["path"].filter(pl.Series(index.alive))
    unknown = pl.Series("path", paths, dtype=pl.String).filter(
        ~pl.Series("path", paths, dtype=pl.String).is_in(there.implode())
    )
    if len(unknown):
        raise BadInput(unknown[0], "is not in the index", hint=f"{len(unknown):,} paths are not")
    going = index.items["path"].is_in(pl.Series(list(paths)).implode()).to_numpy()
    return replace(index, alive=index.alive & ~going)


def _added(index: Index, items: pl.DataFrame, vectors: Float32[np.ndarray, "n d"]) -> tuple[Index, bool]:
    """Put items into the tail, or with it into the main block where it has grown too long."""
    held = set(index.items["path"].filter(pl.Series(index.alive)))
    twice = [path for path in items["path"] if path in held]
    if twice:
        raise BadInput(twice[0], "is in the index already", hint="`okulo index update` replaces items")
    checked = check_vectors("vectors", vectors, index.manifest.length)
    late = pl.concat([index.items.head(0), items], how="diagonal_relaxed").select(index.items.columns)
    late = late.cast(dict(index.items.schema))  # type: ignore[arg-type]
    tail = np.concatenate([index.tail, _of_items(items, checked)])
    alive = np.concatenate([index.alive, np.ones(len(items), bool)])
    index = replace(index, items=pl.concat([index.items, late]), tail=tail, alive=alive)
    if len(tail) <= index.engine.grows_at:
        return index, False
    index.engine.append(tail)
    return replace(index, tail=tail[:0]), True


def _commit(index: Index, main_changed: bool) -> Index:
    """Write what changed under new names, then `index.json`."""
    folder, main = index.folder, len(index.engine)
    number = index.manifest.generation + 1
    files = dict(index.manifest.files)
    if main_changed:
        files = index.engine.write(folder, number)
    files["items"] = f"items-{number}.parquet"
    write_parquet(index.items.head(main), folder / files["items"])
    files.pop("tail", None)
    if len(index.tail):
        files["tail"] = f"tail-{number}.parquet"
        column = pl.Series(VECTOR, index.tail, dtype=pl.Array(pl.Float32, index.manifest.length))
        write_parquet(index.items.tail(len(index.tail)).with_columns(column), folder / files["tail"])
    files.pop("dead", None)
    if not index.alive.all():
        files["dead"] = f"dead-{number}.npy"
        with write_aside(folder / files["dead"]) as aside:
            np.save(aside, np.flatnonzero(~index.alive))
    manifest = replace(index.manifest, generation=number, rows=main, files=files)
    write_manifest(folder, manifest)
    return replace(index, manifest=manifest)
