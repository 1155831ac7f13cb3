"""The COPY blocks of a plain dump, found in a stream without a server."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase

from okulo.core.errors import BadInput

CHUNK = 8 << 20
COPY = re.compile(rb"^COPY (.+?) \((.*)\) FROM stdin;\r?$", re.MULTILINE)
END = b"\\."


@dataclass(frozen=True)
class DumpColumns:
    """The table of a COPY block and its columns, in order."""

    table: str
    names: tuple[str, ...]

    def index(self, name: str) -> int:
        """The place of a column."""
        return self.names.index(name)


def copied_blocks(
    file: BufferedIOBase, name: str, table: str, wanted: Sequence[str], chunk: int = CHUNK
) -> Iterator[tuple[DumpColumns, bytes]]:
    """Give the lines of the wanted table, some megabytes at a time, each time whole lines.

    The table is the one named, or the only one that has all the wanted columns.

    >>> import io
    >>> text = b"SET x;\\nCOPY r (id, \\"values\\") FROM stdin;\\n1\\t{1,2}\\n2\\t{3}\\n\\\\.\\nSELECT 1;\\n"
    >>> [data for _, data in copied_blocks(io.BytesIO(text), "d.sql", "", ["id", "values"])]
    [b'1\\t{1,2}\\n2\\t{3}\\n']
    """
    seen: list[DumpColumns] = []
    chosen: DumpColumns | None = None
    inserts = looks = False
    data = b""
    while True:
        more = file.read(chunk)
        data += more
        match = COPY.search(data)
        head = data[: match.start()] if match else data
        inserts |= b"\nINSERT INTO " in head
        looks |= b"PostgreSQL database dump" in head or b"\nSET " in head
        if not match:
            if not more:
                break
            data = data[-4096:]  # a COPY line may be cut in two
            continue
        columns = _columns(match)
        seen.append(columns)
        rest = data[match.end() :].removeprefix(b"\r").removeprefix(b"\n")
        mine = _wanted(columns, table, wanted)
        if mine:
            if chosen is not None:
                raise BadInput(
                    name, f"both {chosen.table} and {columns.table} have these columns", hint="--table"
                )
            chosen = columns
        for lines in (block := _Block(file, rest, name, chunk)):
            if mine:
                yield columns, lines
        data = block.rest
    if chosen is None:
        raise _none(name, table, wanted, seen, inserts=inserts, looks=looks)


class _Block:
    """The lines of one COPY block, and what comes after it."""

    def __init__(self, file: BufferedIOBase, data: bytes, name: str, chunk: int) -> None:
        self.file, self.data, self.name, self.chunk = file, data, name, chunk
        self.rest = b""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            at = 0 if self.data.startswith(END + b"\n") else self.data.find(b"\n" + END + b"\n") + 1
            if at or self.data.startswith(END + b"\n"):
                if at:
                    yield self.data[:at]
                self.rest = self.data[at + 2 :]
                return
            cut = self.data.rfind(b"\n", 0, max(len(self.data) - 3, 0)) + 1  # the end's mark stays whole
            if cut > self.chunk // 2:
                yield self.data[:cut]
                self.data = self.data[cut:]
            more = self.file.read(self.chunk)
            if not more:
                raise BadInput(self.name, "ends in the middle of a table", hint="is the file cut short?")
            self.data += more


def _columns(match: re.Match[bytes]) -> DumpColumns:
    def name(raw: bytes) -> str:
        text = raw.decode().strip()
        return text[1:-1].replace('""', '"') if text.startswith('"') else text

    table = ".".join(name(part) for part in match[1].split(b"."))
    return DumpColumns(table, tuple(name(part) for part in match[2].split(b",")))


def _wanted(columns: DumpColumns, table: str, wanted: Sequence[str]) -> bool:
    if table:
        return table in (columns.table, columns.table.rpartition(".")[2])
    return all(name in columns.names for name in wanted)


def _none(
    name: str, table: str, wanted: Sequence[str], seen: list[DumpColumns], *, inserts: bool, looks: bool
) -> BadInput:
    if seen:
        has = "; ".join(f"{each.table} ({', '.join(each.names)})" for each in seen)
        lacks = f"a table {table}" if table else f"a table with the columns {', '.join(wanted)}"
        return BadInput(name, wanted=lacks, got=has)
    if inserts:
        return BadInput(name, "holds INSERT commands", hint="make the dump without --inserts")
    if looks:
        return BadInput(name, "is a dump without data", hint="make it without --schema-only")
    return BadInput(name, "is no dump of PostgreSQL", hint="CSV files end in .csv or .tsv")
