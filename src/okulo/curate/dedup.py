"""`okulo dedup`: near-duplicate pictures become groups, one of each to keep."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.core.table import Items
from okulo.curate.duplicates.candidates import LEAST_FOR_COSINE, nearest, whiten
from okulo.curate.duplicates.exact import first_of_each, read_vectors, same_pixels
from okulo.curate.duplicates.groups import make_groups
from okulo.curate.duplicates.keep import RULES, choose_kept
from okulo.curate.duplicates.look import look_at, verify
from okulo.curate.duplicates.report import Row, group_findings, link_findings, plot_scores
from okulo.curate.duplicates.store import SketchStore
from okulo.curate.duplicates.threshold import choose_threshold
from okulo.io.tables import read_items, write_findings, write_items

COLUMNS = ("group", "group_size", "keep")
STRONG = 0.97
"""A link of at least this score always joins; a weaker one needs support."""


@dataclass(frozen=True, kw_only=True)
class DedupParams(Params):
    """Find copies: shifted, cropped, turned, exposed, blurred, re-compressed, resized, captioned, framed.

    Adds `group` (a number each), `group_size` and `keep` (one of each group). Nothing is deleted.
    """

    items: Path = param(help="table of items", positional=True)
    output: Path | None = param(None, help="table to write (default: the same file)", short="o")
    column: str = param(
        "",
        help="vectors to find candidates by (default: `embedding`; without it, a descriptor made on the way)",
    )
    mirrored: bool = param(False, help="a mirrored picture is a copy too")
    threshold: float | None = param(
        None, help="pairs from this score on are copies (default: chosen from the scores)", low=0, high=1
    )
    neighbours: int = param(12, help="nearest pictures each is compared with", low=1, high=200)
    prefer: str = param("labelled", help="which of a group to keep, before all else", choices=RULES)
    plot: Path | None = param(None, help="plot of the scores (default: beside the table, .duplicates.png)")
    workers: int | None = param(None, help="threads (default: one a core)", low=1, high=256)
    replace: bool = param(False, help="replace the columns if the table has them already")
    seed: int = param(0, help="which pictures the whitening is fitted on", low=0)


@dataclass(frozen=True)
class DedupReport:
    """What was found."""

    output: Path
    items: int
    unreadable: int
    same_bytes: int
    """Items that are byte for byte another one."""
    same_pixels: int
    """Further items whose every pixel is another one's."""
    vectors: str
    pairs: int
    """Candidate pairs that were looked at."""
    threshold: float
    how: str
    groups: int
    """Groups of two or more."""
    copies: int
    """Items that are not kept."""
    largest: int
    weak_links: int
    leaking: int
    """Groups across splits."""
    contradictory: int
    """Groups whose labels disagree."""
    findings: Findings
    findings_file: Path
    plot: Path
    seconds: float
    per_second: float
    pair_ms: float
    """CPU time of comparing one pair, in milliseconds."""


@dataclass(frozen=True)
class _Seen:
    """The table's different pictures, looked at."""

    items: Items
    number: Int64[np.ndarray, " n"]
    """Which picture each item is."""
    same: Int64[np.ndarray, " u"]
    """The first picture of the same pixels, for each."""
    errors: list[str | None]
    known: Bool[np.ndarray, " u"]
    """Which have a vector."""
    sharpness: Float32[np.ndarray, " u"]
    pairs: Int64[np.ndarray, "p 2"]
    score: Float32[np.ndarray, " p"]
    pair_ms: float


def run(params: DedupParams, progress: Progress = silent) -> DedupReport:
    """Find the groups, and write the table, its findings and the plot of the scores."""
    start = time.perf_counter()
    items = read_items(params.items)
    column = _check(params, items)
    output = params.output or params.items
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".okulo-dedup-", dir=output.parent) as folder:
        seen = _look(params, items, column, Path(folder), progress)
    threshold, how = (
        (params.threshold, "as given") if params.threshold is not None else choose_threshold(seen.score)
    )
    return _write(params, seen, column, threshold, how, start)


def _look(params: DedupParams, items: Items, column: str, folder: Path, progress: Progress) -> _Seen:
    """Read every different picture, find candidates, and score them."""
    workers = params.workers or os.cpu_count() or 1
    number, first = first_of_each(items.frame["id"])
    files = items.files()
    store = SketchStore(folder, len(first))
    looked = look_at([files[i] for i in first], store, not column, workers, progress)
    readable = np.array([error is None for error in looked.errors], bool)
    same = same_pixels(store.pixels, readable)
    if looked.descriptors is not None:
        vectors, known = looked.descriptors, readable
    else:
        vectors, known = read_vectors(items.frame[column], number, len(first))
    one_each = np.flatnonzero(readable & known & (same == np.arange(len(same))))
    white = whiten(vectors[one_each], np.random.default_rng(params.seed))
    pairs, cosine = nearest(white, params.neighbours)
    if not column or white.shape[1] < LEAST_FOR_COSINE:  # then a cosine says little of two pictures
        cosine = np.full_like(cosine, np.nan)
    busy = time.process_time()
    score = verify(one_each[pairs], cosine, store, params.mirrored, workers, progress)
    pair_ms = (time.process_time() - busy) * 1e3 / max(1, len(pairs))
    return _Seen(items, number, same, looked.errors, known, store.sharpness, one_each[pairs], score, pair_ms)


def _check(params: DedupParams, items: Items) -> str:
    """Say which column of vectors is used ("": none, a descriptor is made); refuse before any work."""
    taken = [name for name in COLUMNS if name in items.frame.columns]
    if taken and not params.replace:
        raise BadInput("table", f"already has {', '.join(taken)}", hint="--replace replaces them")
    column = params.column or ("embedding" if "embedding" in items.frame.columns else "")
    if not column:
        return ""
    if column not in items.frame.columns:
        raise BadInput(
            "table",
            f"has no column {column}",
            hint=f"`okulo embed --column {column}` makes it; it has " + ", ".join(items.frame.columns),
        )
    kind = items.frame.schema[column]
    if not (isinstance(kind, pl.Array | pl.List) and kind.inner in (pl.Float32, pl.Float64)):
        raise BadInput(f"column {column}", wanted="vectors, Array(Float32)", got=kind)
    return column


def _write(
    params: DedupParams, seen: _Seen, column: str, threshold: float, how: str, start: float
) -> DedupReport:
    made = make_groups(len(seen.same), seen.pairs, seen.score, threshold, max(STRONG, threshold))
    readable = np.array([error is None for error in seen.errors], bool)
    group, _ = first_of_each(pl.Series(made.group[seen.same][seen.number]))
    size = np.bincount(group, minlength=1)[group] if len(group) else group
    frame = seen.items.frame
    kept = choose_kept(frame, group, seen.sharpness[seen.number], readable[seen.number], params.prefer)
    columns = pl.DataFrame(
        {
            "group": pl.Series(group, dtype=pl.Int64),
            "group_size": pl.Series(size, dtype=pl.Int32),
            "keep": pl.Series(kept, dtype=pl.Boolean),
        }
    )
    items = seen.items.add(columns, replace_columns=params.replace)
    findings = Findings.of([*_unseen(seen, column), *group_findings(items.frame), *_links(seen, made.cut)])
    output = params.output or params.items
    plot = params.plot or output.with_name(f"{output.stem}.duplicates.png")
    findings_file = output.with_name(f"{output.stem}.duplicates.parquet")
    plot_scores(seen.score, threshold, plot)
    write_findings(findings, items.root, findings_file)
    write_items(items, output)
    seconds = time.perf_counter() - start
    return DedupReport(
        output=output,
        items=len(items),
        unreadable=int((~readable[seen.number]).sum()),
        same_bytes=len(seen.number) - len(seen.same),
        same_pixels=int((seen.same != np.arange(len(seen.same))).sum()),
        vectors=column or "descriptor",
        pairs=len(seen.pairs),
        threshold=threshold,
        how=how,
        groups=int((np.bincount(group) > 1).sum()) if len(group) else 0,
        copies=int((~kept).sum()),
        largest=int(size.max(initial=0)),
        weak_links=len(made.cut),
        leaking=_groups_with(items.frame, "split"),
        contradictory=_groups_with(items.frame, "label"),
        findings=findings,
        findings_file=findings_file,
        plot=plot,
        seconds=seconds,
        per_second=len(items) / max(seconds, 1e-9),
        pair_ms=seen.pair_ms,
    )


def _unseen(seen: _Seen, column: str) -> list[Row]:
    """Findings about pictures that could not be compared."""
    rows: list[Row] = []
    for path, number in zip(seen.items.frame["path"], seen.number.tolist()):
        error = seen.errors[number]
        if error is not None:
            rows.append((path, "unreadable", 1.0, error))
        elif not seen.known[number]:
            said = f"column {column} holds no finite vector: only equal bytes and pixels were looked for"
            rows.append((path, "no vector", 0.6, said))
    return rows


def _links(seen: _Seen, cut: Int64[np.ndarray, "c 2"]) -> list[Row]:
    number, first = np.unique(seen.number, return_index=True)
    paths = pl.Series(seen.items.frame["path"].to_numpy()[first] if len(number) else [], dtype=pl.String)
    scored = (
        {(int(i), int(j)): float(value) for (i, j), value in zip(seen.pairs, seen.score)} if len(cut) else {}
    )
    return link_findings(paths, cut, np.array([scored[int(i), int(j)] for i, j in cut], np.float32))


def _groups_with(frame: pl.DataFrame, name: str) -> int:
    """How many groups hold more than one value of this column."""
    if name not in frame.columns:
        return 0
    values = frame.drop_nulls(name).group_by("group").agg(pl.col(name).n_unique())
    return int((values[name] > 1).sum())
