"""A folder of recordings: Parquet parts of `id` and `values`, and beside them what the verbs found out.

recordings/
  series/00000.parquet …   id (int64), values (list<float32>), one row a recording
  import.json              where they came from, what was wrong, whether all have come
  features.parquet, clean.parquet, groups.parquet    one row a recording, in the parts' order
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64

from okulo.core.errors import BadInput, need
from okulo.core.nouns import Series
from okulo.io.files import read_json, write_aside
from okulo.io.tables import write_parquet

TABLES = {
    "features": "okulo series features",
    "clean": "okulo series clean",
    "groups": "okulo series cluster",
}
"""The tables of a store, and the command that makes each."""


@dataclass(frozen=True)
class Store:
    """Where recordings lie; nothing is opened before it is asked for."""

    root: Path

    @property
    def manifest(self) -> Path:
        """What `import` says of itself."""
        return self.root / "import.json"

    def parts(self) -> list[Path]:
        """The parts, in order."""
        return sorted((self.root / "series").glob("*.parquet"))

    def require(self) -> "Store":
        """Raise BadInput unless this is a store that was filled to its end."""
        if not self.manifest.is_file():
            raise BadInput(
                str(self.root), "holds no recordings", hint=f"`okulo series import SOURCE -o {self.root}`"
            )
        if not read_json(self.manifest).get("complete"):
            raise BadInput(
                str(self.root), "its import has not ended", hint="run the same import again: it goes on"
            )
        if not self.parts():
            raise BadInput(str(self.root), "holds no recordings: the import found none")
        return self

    def write_part(self, place: int, series: Series) -> None:
        """Write one part, whole or not at all."""
        pa: Any = need("pyarrow", extra="series", verb="okulo series")
        pq: Any = need("pyarrow.parquet", extra="series", verb="okulo series")
        if len(series.values) > np.iinfo(np.int32).max:
            raise BadInput("part", wanted="fewer than 2³¹ values", got=len(series.values))
        lists = pa.ListArray.from_arrays(pa.array(series.offsets.astype(np.int32)), pa.array(series.values))
        table = pa.table({"id": pa.array(series.id), "values": lists})
        with write_aside(self.root / "series" / f"{place:05}.parquet") as aside:
            # Noise does not compress, and a dictionary of it would only cost time.
            pq.write_table(table, aside, compression="none", use_dictionary=False, write_statistics=["id"])

    def read_part(self, part: Path) -> Series:
        """Read one part."""
        pq: Any = need("pyarrow.parquet", extra="series", verb="okulo series")
        pa: Any = need("pyarrow", extra="series", verb="okulo series")
        try:
            table = pq.read_table(part, use_threads=False)
            lists = table["values"].combine_chunks()
            values = lists.flatten().to_numpy().astype(np.float32, copy=False)
            offsets = lists.offsets.to_numpy().astype(np.int64)
            return Series(table["id"].to_numpy(), values, offsets - offsets[0])
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise BadInput(str(part), f"cannot be read as a part of a store ({error})") from error

    def ids(self) -> Int64[np.ndarray, " n"]:
        """Every recording's id, in order."""
        found = [pl.read_parquet(part, columns=["id"])["id"].to_numpy() for part in self.parts()]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def table(self, name: str) -> Path:
        """Where one of the tables lies."""
        return self.root / f"{name}.parquet"

    def read_table(self, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read one of the tables; BadInput says which command makes it."""
        path = self.table(name)
        if not path.is_file():
            raise BadInput(str(path), "does not exist", hint=f"`{TABLES[name]} {self.root}` makes it")
        try:
            return pl.read_parquet(path, columns=None if columns is None else list(columns))
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise BadInput(str(path), f"cannot be read ({reason})") from error

    def write_table(self, name: str, frame: pl.DataFrame, *, replace: bool) -> Path:
        """Write one of the tables; one that is there is kept unless it may be replaced."""
        self.refuse_existing(name, replace=replace)
        write_parquet(frame, self.table(name))
        return self.table(name)

    def refuse_existing(self, name: str, *, replace: bool) -> None:
        """Raise BadInput, before any work, where the table is there already."""
        if self.table(name).exists() and not replace:
            raise BadInput(str(self.table(name)), "exists already", hint="--replace makes it anew")

    def select(self, wanted: Int64[np.ndarray, " m"]) -> dict[int, np.ndarray]:
        """Read the values of some recordings, by id; parts that hold none of them are not read."""
        wanted = np.unique(wanted)
        found: dict[int, np.ndarray] = {}
        for part in self.parts():
            ids = pl.read_parquet(part, columns=["id"])["id"].to_numpy()
            rows = np.flatnonzero(np.isin(ids, wanted))
            if len(rows):
                series = self.read_part(part)
                for row in rows:
                    a, b = series.offsets[row], series.offsets[row + 1]
                    found[int(ids[row])] = series.values[a:b].copy()
        return found


def same_rows(first: pl.DataFrame, second: pl.DataFrame, root: Path) -> None:
    """Raise BadInput unless two tables of a store speak of the same recordings in the same order."""
    if len(first) != len(second) or not first["id"].equals(second["id"]):
        raise BadInput(
            str(root), "its tables speak of different recordings", hint="make the later ones anew: --replace"
        )


def pieces(store: Store) -> Iterator[Series]:
    """Every part, one after the other: memory stays flat."""
    return (store.read_part(part) for part in store.parts())
