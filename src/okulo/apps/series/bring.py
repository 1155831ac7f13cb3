"""`okulo series import`: recordings from where they are into a folder of Parquet parts, memory flat."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from okulo.apps.series.batch import Batch, Where
from okulo.apps.series.copy_kernels import count_missing
from okulo.apps.series.postgres import ConnectionLost, safe_url, stream
from okulo.apps.series.store import Store
from okulo.core.errors import BadInput
from okulo.core.nouns import Findings, Series
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import read_json, write_json
from okulo.io.tables import write_parquet

SHOWN = 1000
"""So many items of each kind are named in findings.parquet; all are counted."""

REASONS = {
    "gaps": "values are missing (null or NaN)",
    "infinite": "holds infinite values, which count as missing",
    "empty": "has no values",
    "repeated id": "its id has come before; the first was kept",
    "uneven times": "its samples leave out a time, or have one twice",
    "no id": "rows without an id were left out",
    "no values": "rows whose values are null",
    "unreadable": "rows that hold no id or no numbers were left out",
}

Source = Callable[[Int64[np.ndarray, " k"]], Iterator[Batch]]
"""Gives batches; it is told which ids are known, and may leave those out."""


@dataclass(frozen=True, kw_only=True)
class ImportParams(Params):
    """Bring recordings from PostgreSQL, a dump of it, CSV or Parquet into a folder, in flat memory.

    The folder can be read by anything that reads Parquet. An import that broke off goes on when the same
    command is given again.
    """

    source: str = param(
        help="postgresql://… , or a file: dump (.sql, .sql.gz, pg_dump -Fc), CSV or Parquet", positional=True
    )
    out: Path = param(help="folder to write", short="o")
    query: str = param("", help="SELECT whose rows are the recordings (PostgreSQL)")
    table: str = param("", help="the table, in place of a query")
    id: str = param("id", help="column of the recording's number")
    values: str = param("values", help="column of its values: an array, or one sample a row with --time")
    time: str = param("", help="column of the sample's time, where there is one row a sample")
    part: int = param(65_536, help="recordings in a part", low=1)
    retries: int = param(5, help="how often a lost connection is opened again", low=0)
    replace: bool = param(False, help="throw away what the folder holds, and begin anew")


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What has come, and what was wrong with it."""

    folder: Path
    source: str
    series: int
    values: int
    parts: int
    resumed_from: int
    """How many had come before this run."""
    reconnected: int
    seconds: float
    findings: dict[str, int]


class Known:
    """The ids that have come, so that none comes twice, whatever the order of a resumed import.

    >>> known = Known(np.array([5, 1]))
    >>> known.fresh(np.array([1, 2, 2, 9])).tolist()
    [False, True, False, True]
    """

    def __init__(self, ids: Int64[np.ndarray, " n"]) -> None:
        self.ids = np.unique(ids)

    def fresh(self, ids: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which of these are new; from now on they are known."""
        fresh = np.ones(len(ids), bool)
        if not len(ids):
            return fresh
        rising = bool((np.diff(ids) > 0).all())
        if not rising:
            fresh[:] = False
            fresh[np.unique(ids, return_index=True)[1]] = True
        if len(self.ids) and not (rising and ids[0] > self.ids[-1]):
            at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
            fresh &= self.ids[at] != ids
        if rising and (not len(self.ids) or ids[0] > self.ids[-1]):
            self.ids = np.concatenate([self.ids, ids])
        else:
            self.ids = np.union1d(self.ids, ids)
        return fresh


class Writer:
    """Gathers batches into parts and writes them on a thread of its own, one part behind."""

    def __init__(self, store: Store, size: int, known: Known, place: int) -> None:
        self.store, self.size, self.known, self.place = store, size, known, place
        self.values = 0
        self.counts: Counter[str] = Counter()
        self.rows: dict[str, list[tuple[str, str, float, str]]] = {}
        self._waiting: list[Series] = []
        self._queue: queue.Queue[list[Series] | None] = queue.Queue(maxsize=1)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def add(self, batch: Batch) -> None:
        """Take a batch; a part is written when enough have come."""
        self._raise()
        self.counts.update(batch.said)
        fresh = self.known.fresh(batch.series.id)
        self._note("repeated id", batch.series.id[~fresh])
        if batch.uneven is not None:
            self._note("uneven times", batch.series.id[batch.uneven & fresh])
        series = batch.series if fresh.all() else keep(batch.series, fresh)
        missing, infinite = count_missing(series.values, series.offsets)
        self._note("gaps", series.id[missing > 0])
        self._note("infinite", series.id[infinite > 0])
        self._note("empty", series.id[np.diff(series.offsets) == 0])
        self._waiting.append(series)
        if sum(map(len, self._waiting)) >= self.size:
            self._hand_over()

    def close(self) -> None:
        """Write what waits; from then on all is on the disk."""
        if any(map(len, self._waiting)):
            self._hand_over()
        self._queue.put(None)
        self._thread.join()
        self._raise()

    def findings(self) -> Findings:
        """Some items of each kind, and one row for what is about no item."""
        rows = [row for kind in self.rows.values() for row in kind]
        for kind in ("no id", "no values", "unreadable"):
            rows += [("", kind, 1.0, f"{n:,} {REASONS[kind]}")] if (n := self.counts[kind]) else []
        return Findings.of(rows)

    def _note(self, kind: str, ids: Int64[np.ndarray, " m"]) -> None:
        if len(ids):
            self.counts[kind] += len(ids)
            rows = self.rows.setdefault(kind, [])
            rows += [(str(each), kind, 0.5, REASONS[kind]) for each in ids[: SHOWN - len(rows)]]

    def _hand_over(self) -> None:
        self._queue.put(self._waiting)
        self._waiting = []

    def _write(self) -> None:
        while (some := self._queue.get()) is not None:
            if self._error is None:
                try:
                    series = join(some)
                    for first in range(0, len(series), self.size):
                        part = cut(series, first, min(first + self.size, len(series)))
                        self.store.write_part(self.place, part)
                        self.place += 1
                        self.values += len(part.values)
                except BaseException as error:  # it is raised where the batches come from
                    self._error = error

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


def keep(series: Series, rows: Bool[np.ndarray, " n"]) -> Series:
    """Take some recordings out of many.

    >>> two = Series(np.array([7, 8]), np.float32([1, 2, 9]), np.array([0, 2, 3]))
    >>> keep(two, np.array([False, True])).values
    array([9.], dtype=float32)
    """
    lengths = np.diff(series.offsets)
    offsets = np.concatenate([[0], np.cumsum(lengths[rows])]).astype(np.int64)
    return Series(series.id[rows], series.values[np.repeat(rows, lengths)], offsets)


def cut(series: Series, first: int, last: int) -> Series:
    """Take the recordings from `first` to before `last`.

    >>> cut(Series(np.array([7, 8]), np.float32([1, 2, 9]), np.array([0, 2, 3])), 1, 2).values
    array([9.], dtype=float32)
    """
    a, b = series.offsets[first], series.offsets[last]
    return Series(series.id[first:last], series.values[a:b], series.offsets[first : last + 1] - a)


def join(some: list[Series]) -> Series:
    """Put series one after the other."""
    if len(some) == 1:
        return some[0]
    lengths = np.concatenate([np.diff(each.offsets) for each in some])
    return Series(
        np.concatenate([each.id for each in some]),
        np.concatenate([each.values for each in some]),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def run(params: ImportParams, progress: Progress = silent) -> ImportReport:
    """Import, or go on with an import that broke off."""
    started = time.perf_counter()
    source, name = open_source(params)
    store = Store(params.out)
    said: dict[str, Any] = {"source": name, "query": params.query, "table": params.table}
    said |= {"columns": list(Where(params.id, params.values, params.time).columns)}
    before = _begin(store, said, replace=params.replace)
    known = Known(store.ids())
    had = len(known.ids)
    writer = Writer(store, params.part, known, len(store.parts()))
    reconnected = 0
    try:
        reconnected = _fill(writer, source, params.retries, progress)
    except ConnectionLost as lost:
        raise BadInput(
            name,
            f"the connection was lost after {len(known.ids):,} recordings ({lost})",
            hint="give the same command again: it goes on from there" if len(known.ids) else "",
        ) from lost
    finally:
        writer.close()
        counts = Counter(before) + writer.counts
        if store.parts():
            write_json(store.manifest, {**said, "complete": False, "findings": counts})
    if not len(known.ids):
        raise BadInput(name, "holds no recordings", hint="see the query and the names of the columns")
    write_parquet(writer.findings().frame, store.root / "findings.parquet")
    write_json(store.manifest, {**said, "complete": True, "series": len(known.ids), "findings": counts})
    return ImportReport(
        folder=params.out,
        source=name,
        series=len(known.ids),
        values=writer.values,
        parts=len(store.parts()),
        resumed_from=had,
        reconnected=reconnected,
        seconds=time.perf_counter() - started,
        findings=dict(counts),
    )


def _begin(store: Store, said: dict[str, Any], *, replace: bool) -> dict[str, int]:
    """Look at what the folder holds: nothing, an import to go on with, or what must not be overwritten."""
    if not store.manifest.exists():
        if store.root.is_dir() and any(store.root.iterdir()):
            raise BadInput(str(store.root), "is not empty and holds no recordings")
        return {}
    held = read_json(store.manifest)
    if replace:
        derived = [store.root / f"{name}.json" for name in ("clean", "groups", "names", "classifier")]
        tables = [*store.root.glob("*.parquet"), *(store.root / "watched").glob("*.parquet")]
        for path in [*store.parts(), *tables, *derived, store.manifest]:
            path.unlink(missing_ok=True)
        return {}
    if held.get("complete"):
        raise BadInput(str(store.root), "holds a complete import", hint="--replace begins anew")
    if {key: held.get(key) for key in said} != said:
        raise BadInput(
            str(store.root),
            f"holds part of another import ({held.get('source')})",
            hint="--replace begins anew",
        )
    return dict(held.get("findings", {}))


def _fill(writer: Writer, source: Source, retries: int, progress: Progress) -> int:
    """Take all batches, opening the source again where the connection is lost; say how often."""
    tried = reconnected = 0
    while True:
        try:
            for batch in progress(source(writer.known.ids), label="importing, 8 MB a step"):
                writer.add(batch)
                tried = 0
            return reconnected
        except ConnectionLost:
            if tried >= retries:
                raise
            time.sleep(min(0.2 * 2**tried, 10))
            tried += 1
            reconnected += 1


def open_source(params: ImportParams) -> tuple[Source, str]:
    """Say how the source is read, and what it is called (without a password)."""
    where = Where(params.id, params.values, params.time)
    if params.source.startswith(("postgresql://", "postgres://")):
        if bool(params.query) == bool(params.table):
            raise BadInput(
                "query", wanted="either --query or --table", got="both" if params.query else "none"
            )
        query = params.query or f"SELECT * FROM {params.table}"  # noqa: S608  # the user's own table
        return (lambda known: stream(params.source, query, where, known)), safe_url(params.source)
    if "://" in params.source:
        raise BadInput("source", wanted="postgresql://… or a file", got=safe_url(params.source))
    if params.query:
        raise BadInput("query", "belongs to a database; a dump has --table")
    path = Path(params.source)
    if not path.exists():
        raise BadInput(str(path), "does not exist")
    from okulo.apps.series.files import file_source

    return file_source(path, params.table, where), str(path)
