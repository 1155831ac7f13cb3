"""`okulo series simulate`: recordings whose truth is known, to try the chain with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from okulo.apps.series.postgres import safe_url
from okulo.apps.series.simulate import KINDS, Simulated, send, simulate_parts
from okulo.core.errors import BadInput, need
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_aside
from okulo.io.tables import write_parquet

PART = 50_000


@dataclass(frozen=True, kw_only=True)
class SimulateParams(Params):
    """Make recordings of a mechanism whose faults are known: 5 % faults of eleven families, 15 % garbage.

    Into a Parquet file (id, values), beside it FILE.truth.parquet says what each is (id, kind); or into a new
    table of PostgreSQL.
    """

    out: str = param(help="Parquet file, or postgresql://…", positional=True)
    count: int = param(100_000, help="recordings", low=1, short="n")
    table: str = param("recordings", help="the new table, in PostgreSQL")
    seed: int = param(0, help="the same seed makes the same recordings", low=0)


@dataclass(frozen=True, kw_only=True)
class SimulateReport:
    """How many there are of each kind."""

    out: str
    kinds: dict[str, int]


def run(params: SimulateParams, progress: Progress = silent) -> SimulateReport:
    """Make them part by part."""
    counts = np.zeros(len(KINDS), np.int64)
    kinds: list[np.ndarray] = []

    def counted() -> Any:
        made = simulate_parts(params.count, params.seed, part=PART)
        for part in progress(made, label="simulating, 50,000 a step", total=-(-params.count // PART)):
            kinds.append(part.kind)
            yield part

    if params.out.startswith(("postgresql://", "postgres://")):
        import psycopg

        try:
            send(params.out, params.table, counted())
        except psycopg.Error as error:
            raise BadInput(safe_url(params.out), " ".join(str(error).split())) from error
        name = f"{safe_url(params.out)}, table {params.table}"
    else:
        name = params.out
        _write(Path(params.out), counted())
        truth = pl.Series("kind", np.array(KINDS, object)[np.concatenate(kinds)].tolist(), pl.String)
        ids = pl.Series("id", np.arange(1, params.count + 1))
        write_parquet(pl.DataFrame([ids, truth]), Path(params.out).with_suffix(".truth.parquet"))
    counts += np.bincount(np.concatenate(kinds), minlength=len(KINDS))
    return SimulateReport(out=name, kinds=dict(zip(KINDS, counts.tolist())))


def _write(path: Path, parts: Any) -> None:
    pa: Any = need("pyarrow", extra="series", verb="okulo series simulate")
    pq: Any = need("pyarrow.parquet", extra="series", verb="okulo series simulate")
    if path.suffix != ".parquet":
        raise BadInput("out", wanted="a Parquet file (.parquet), or postgresql://…", got=str(path))
    if path.exists():
        raise BadInput(str(path), "exists already")
    schema = pa.schema([("id", pa.int64()), ("values", pa.list_(pa.float32()))])
    with write_aside(path) as aside, pq.ParquetWriter(aside, schema, compression="none") as writer:
        for part in parts:
            assert isinstance(part, Simulated)
            series = part.series
            lists = pa.ListArray.from_arrays(
                pa.array(series.offsets.astype(np.int32)), pa.array(series.values)
            )
            writer.write_table(pa.table([pa.array(series.id), lists], schema=schema))
