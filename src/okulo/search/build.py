"""`okulo index`: make an index of a table, and keep it as the table changes."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float32

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.core.table import VECTORS, Items
from okulo.io.tables import read_items, rebased
from okulo.search import index as indexes
from okulo.search.exact import unit
from okulo.search.index import Index, open_index
from okulo.search.manifest import Manifest, write_manifest
from okulo.search.pictures import Seeing
from okulo.search.settings import Choice, Settings, choose, settle
from okulo.search.where import where

CHECKED = 3
"""Pictures embedded anew to see whether the table's vectors are the model's."""
SAME = 0.999

See = Callable[[str, str], Seeing]
"""(model, crop) → what embeds pictures; given by the command line."""
CROP_HELP = "the main object: `object`, `attention`, or a detector's model file"


def seeing_for(index: Index, see: See, model: str = "", crop: str = "") -> Seeing:
    """What embeds queries of an index: its own model, which is checked, with its crop or another."""
    file = model or index.manifest.model_file
    seeing = see(file, index.manifest.crop)
    index.expect_model(seeing.name)
    if crop in ("", index.manifest.crop):
        return seeing
    return replace(see(file, crop), name=seeing.name)


@dataclass(frozen=True, kw_only=True)
class IndexParams(Params):
    """Make an index of a table's pictures, to search them by likeness.

    Vectors are taken from the table where it has them and they are the model's, else made.
    """

    items: Path = param(help="table of items", positional=True)
    model: str = param(help="model file with an embedding, or `descriptor`: no network, coarser")
    output: Path = param(help="the index, a folder: my.index", short="o")
    kind: str = param(
        "auto",
        help="auto chooses by size and memory, and says why",
        choices=("auto", "flat", "hnsw", "ivfpq"),
    )
    memory: float = param(4.0, help="gigabytes that searching may take", low=0.001)
    where: str = param("", help="only these items, as in SQL: \"split = 'train'\"")
    column: str = param("embedding", help="vectors of the table; checked on a few pictures")
    crop: str = param("none", help=f"cut something out of each picture first: {CROP_HELP}")
    store: str = param("", help="keep vectors in Milvus: milvus://host:19530/name, milvus:///file.db#name")
    links: int = param(32, help="hnsw: neighbours a row is linked with", low=2, high=256)
    effort: int = param(64, help="hnsw: how far is looked for an answer", low=1, high=10_000)
    lists: int = param(0, help="ivfpq: lists (0: about the square root of the rows)", low=0)
    probes: int = param(0, help="ivfpq: lists looked into (0: 1 in 32, at least 8)", low=0)
    code_bytes: int = param(
        0, help="ivfpq: bytes a row (0: an eighth of the vector's values)", low=0, high=256
    )
    refine: int = param(
        20, help="ivfpq: candidates for each place that are compared exactly", low=1, high=1000
    )
    workers: int | None = param(None, help="threads (default: one a core)", low=1, high=256)
    seed: int = param(0, help="which rows lists and codes are learnt from", low=0)


@dataclass(frozen=True)
class IndexReport:
    """What the index is now."""

    output: Path
    items: int
    length: int
    kind: str
    reason: str
    memory_bytes: float
    embedded: int
    """Pictures that were embedded on the way."""
    added: int
    updated: int
    removed: int
    seconds: float
    findings: Findings = field(default_factory=Findings)


def run(params: IndexParams, see: See, progress: Progress = silent) -> IndexReport:
    """Make the index; the one that was there stays until the new one is whole."""
    started = time.perf_counter()
    seeing = see(params.model, params.crop)
    items = read_items(params.items)
    items = items.where(pl.lit(pl.Series(where(items.frame, params.where)))) if params.where else items
    vectors, made, findings = vectors_of(items, seeing, params.column, params.workers, progress)
    known = ~np.isnan(vectors).any(axis=1)
    if not known.any():
        problem = "no picture of it could be embedded" if len(items) else "has no item to search among"
        raise BadInput(str(params.items), problem)
    length, rows = seeing.length, int(known.sum())
    choice = (
        choose(rows, length, params.memory) if params.kind == "auto" else Choice(params.kind, "as asked for")
    )
    if params.store:
        choice = Choice("flat", "Milvus finds; nothing is kept here")
    manifest = Manifest(
        settings=_settings(params, choice.kind, rows, length),
        length=length,
        model=seeing.name,
        model_file=seeing.file,
        crop=seeing.crop,
        table=str(params.items.resolve()),
        reason=choice.reason,
        store=params.store,
    )
    begun = time.perf_counter()
    frame = shown(items, params.output.resolve().parent).filter(pl.Series(known))
    index = indexes.create(params.output, manifest, frame, vectors[known], params.seed)
    write_manifest(params.output, replace(index.manifest, build_s=time.perf_counter() - begun))
    return _report(index, made, started, added=len(index), findings=findings)


def _settings(params: IndexParams, kind: str, rows: int, length: int) -> Settings:
    said = replace(settle(kind, rows, length), links=params.links, effort=params.effort, refine=params.refine)
    given = {
        name: getattr(params, name) for name in ("lists", "probes", "code_bytes") if getattr(params, name)
    }
    return replace(said, **given)


def shown(items: Items, root: Path) -> pl.DataFrame:
    """The columns an index keeps: all but vectors and boxes; paths start from the index's folder."""
    frame = items.frame.drop([*VECTORS, "boxes"], strict=False)
    return frame.with_columns(rebased(frame["path"], items.root, root))


def vectors_of(
    items: Items, seeing: Seeing, column: str, workers: int | None, progress: Progress
) -> tuple[Float32[np.ndarray, "n d"], int, Findings]:
    """Vectors of the table, or made now; rows of NaN where there is none, and why."""
    threads = workers or os.cpu_count() or 1
    if column in items.frame.columns and len(items) and seeing.crop == "none":
        vectors = table_vectors(items.frame[column], seeing.length)
        _expect_same(items, vectors, seeing, column)
        missing = np.isnan(vectors).any(axis=1)
        bad = [(items.frame["path"][int(row)], "no vector", 0.5, "has no finite vector in the table")
               for row in np.flatnonzero(missing)]  # fmt: skip
        return vectors, 0, Findings.of(bad)
    vectors = np.full((len(items), seeing.length), np.nan, np.float32)
    bad = []
    steps = progress(seeing.files(items.files(), threads), label="embedding", total=len(items))
    for row, said in enumerate(steps):
        if said.vector is None:
            bad.append((items.frame["path"][row], "unreadable", 1.0, said.error or ""))
        else:
            vectors[row] = said.vector
    return vectors, len(items) - len(bad), Findings.of(bad)


def table_vectors(column: pl.Series, length: int | None = None) -> Float32[np.ndarray, "n d"]:
    """Read a column of vectors; rows without one, or with anything that is no finite number, become NaN."""
    dtype = column.dtype
    if not isinstance(dtype, pl.Array | pl.List) or not dtype.inner.is_float():
        raise BadInput(f"column {column.name}", wanted="vectors", got=dtype)
    lengths = (
        [dtype.shape[0]] if isinstance(dtype, pl.Array) else column.list.len().drop_nulls().unique().to_list()
    )
    wanted = length or (lengths[0] if lengths else 1)
    if [each for each in lengths if each != wanted]:
        hint = "was it made by another model? --column names another"
        raise BadInput(f"column {column.name}", wanted=f"vectors of {wanted} values", got=lengths, hint=hint)
    flat = column.cast(pl.Array(pl.Float32, wanted))
    values = np.full((len(flat), wanted), np.nan, np.float32)
    there = flat.is_not_null().to_numpy()
    if there.any():
        values[there] = flat.filter(flat.is_not_null()).to_numpy()
    values[~np.isfinite(values).all(axis=1) | ~values.any(axis=1)] = np.nan
    return values


def _expect_same(items: Items, vectors: Float32[np.ndarray, "n d"], seeing: Seeing, column: str) -> None:
    """Embed a few pictures anew: the table does not say which model its vectors are of."""
    checked = 0
    files = items.files()
    for row in np.flatnonzero(~np.isnan(vectors).any(axis=1))[: 5 * CHECKED]:
        said = next(seeing.files([files[int(row)]], 1))
        if said.vector is None:  # gone since; another one then
            continue
        cosine = float(unit("vector", vectors[row][None])[0] @ unit("vector", said.vector[None])[0])
        if cosine < SAME:
            raise BadInput(
                f"column {column}",
                f"holds vectors of another model (cosine {cosine:.2f} on {items.frame['path'][int(row)]})",
                hint="--column none makes them anew",
            )
        checked += 1
        if checked == CHECKED:
            return


def _report(
    index: Index,
    made: int,
    started: float,
    *,
    added: int = 0,
    updated: int = 0,
    removed: int = 0,
    findings: Findings | None = None,
) -> IndexReport:
    return IndexReport(
        output=index.folder,
        items=len(index),
        length=index.manifest.length,
        kind="milvus" if index.manifest.store else index.manifest.settings.kind,
        reason=index.manifest.reason,
        memory_bytes=index.memory,
        embedded=made,
        added=added,
        updated=updated,
        removed=removed,
        seconds=time.perf_counter() - started,
        findings=findings or Findings(),
    )


@dataclass(frozen=True, kw_only=True)
class UpdateParams(Params):
    """Bring an index to what a table now holds: new pictures come, changed ones change, others go.

    Only new and changed pictures are embedded; nothing is built anew.
    """

    index: Path = param(help="the index", positional=True)
    items: Path = param(help="the table it was made of, or one with more of the same", positional=True)
    keep: bool = param(False, help="leave items that the table does not hold: only add and change")
    model: str = param("", help="the index's model, where it was moved")
    workers: int | None = param(None, help="threads (default: one a core)", low=1, high=256)


def run_update(params: UpdateParams, see: See, progress: Progress = silent) -> IndexReport:
    """Find the differences by path and `id`, embed what is new, and write all changes at once."""
    started = time.perf_counter()
    index = open_index(params.index)
    items = read_items(params.items)
    fresh = shown(items, index.root)
    old = index.items.filter(pl.Series(index.alive))
    same = fresh["path"].is_in(old["path"].implode())
    if not same.any() and len(old) and len(fresh) and not params.keep:
        raise BadInput(
            str(params.items),
            f"is another table: none of its paths is in {params.index}",
            hint="--keep puts its items beside those that are there",
        )
    ids = dict(zip(old["path"], old["id"]))
    changed = np.array([ids.get(path, id) != id for path, id in fresh.select("path", "id").iter_rows()], bool)
    coming = ~same.to_numpy() | changed
    going = [] if params.keep else old["path"].filter(~old["path"].is_in(fresh["path"].implode())).to_list()
    seeing = seeing_for(index, see, params.model)
    part = items.where(pl.lit(pl.Series(coming)))
    vectors, made, findings = vectors_of(part, seeing, "", params.workers, progress)
    known = ~np.isnan(vectors).any(axis=1)
    going += fresh["path"].filter(pl.Series(changed)).to_list()
    kept = [name for name in fresh.columns if name in index.items.columns]
    index = indexes.update(
        params.index, going, fresh.filter(pl.Series(coming)).filter(pl.Series(known)), vectors[known],
        fresh.filter(pl.Series(~coming)).select(kept),
    )  # fmt: skip
    updated = int(changed.sum())
    return _report(
        index, made, started, added=int(known.sum()) - updated, updated=updated,
        removed=len(going) - updated, findings=findings,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RemoveParams(Params):
    """Take items out of an index; they are passed over from now on, and gone after `compact`."""

    index: Path = param(help="the index", positional=True)
    where: str = param(help="which items, as in SQL: \"path = 'a/b.png'\"")


def run_remove(params: RemoveParams, progress: Progress = silent) -> IndexReport:
    """Remove the items for which the condition holds; one that holds for none is BadInput."""
    del progress
    started = time.perf_counter()
    index = open_index(params.index)
    going = index.items["path"].filter(pl.Series(index.alive & where(index.items, params.where)))
    if not len(going) or not params.where.strip():
        raise BadInput("where", wanted="a condition that holds for some item", got=repr(params.where))
    index = indexes.remove(params.index, going.to_list())
    return _report(index, 0, started, removed=len(going))


@dataclass(frozen=True, kw_only=True)
class CompactParams(Params):
    """Build an index anew of its own vectors, without what was removed."""

    index: Path = param(help="the index", positional=True)


def run_compact(params: CompactParams, progress: Progress = silent) -> IndexReport:
    """Build it anew."""
    del progress
    started = time.perf_counter()
    return _report(indexes.compact(params.index), 0, started)
