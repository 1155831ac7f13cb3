"""Recordings out of PostgreSQL: COPY in its binary format, streamed, read-only, and resumable."""

import select
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from jaxtyping import Int64

from okulo.apps.series.batch import KINDS_OF_ELEMENT, Batch, Where, binary_batch
from okulo.apps.series.threads import in_order
from okulo.core.errors import BadInput, need

CHUNK = 8 << 20
"""So many bytes are read before they are made into a batch."""

MOST_RUNS = 200
"""So many runs of ids that have come already are left out by the server; the rest is left out here."""

Rows = tuple[bytearray, int]
"""Rows as COPY sends them, one after the other, and how many they are."""

HEAD = 19
"""Signature, flags and length of the extension: 11 + 4 + 4 bytes before the first row."""

INTEGERS = (20, 21, 23)
ARRAYS = {1021: 700, 1022: 701, 1005: 21, 1007: 23, 1016: 20, 1231: 1700}
"""Array types and their elements', by number: real[], double precision[], smallint[], …, numeric[]."""


class ConnectionLost(Exception):
    """The server went away, or the line did; what has come so far is good."""


def runs_of(ids: Int64[np.ndarray, " n"], most: int = MOST_RUNS) -> list[tuple[int, int]]:
    """The longest runs of whole numbers without a gap among sorted ids: first and last of each.

    >>> runs_of(np.array([1, 2, 3, 7, 8, 20]), most=2)
    [(1, 3), (7, 8)]
    """
    if not len(ids):
        return []
    breaks = np.flatnonzero(np.diff(ids) != 1)
    firsts = ids[np.concatenate([[0], breaks + 1])]
    lasts = ids[np.concatenate([breaks, [len(ids) - 1]])]
    longest = np.argsort(firsts - lasts, kind="stable")[:most]
    return [(int(firsts[i]), int(lasts[i])) for i in sorted(longest)]


def safe_url(url: str) -> str:
    """The address without its password.

    >>> safe_url("postgresql://me:secret@host:5432/db?password=x&sslmode=require")
    'postgresql://me@host:5432/db?sslmode=require'
    """
    from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] != "password"])
    return urlunsplit(parts._replace(netloc=user.partition(":")[0] + at + host, query=query))


def connect(url: str) -> Any:
    """Open a connection that can only read; wrong credentials, hosts and names are BadInput."""
    psycopg: Any = need("psycopg", extra="series", verb="okulo series import")
    try:
        options = "-c default_transaction_read_only=on -c statement_timeout=0"
        return psycopg.connect(url, connect_timeout=10, options=options, application_name="okulo")
    except (psycopg.OperationalError, psycopg.ProgrammingError, UnicodeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(
            safe_url(url), f"cannot be reached ({reason})", hint="see the host, the user and the password"
        ) from error


def _describe(connection: Any, query: str, where: Where) -> dict[str, int]:
    """The query's columns and their types' numbers; a query that does not work is BadInput."""
    import psycopg

    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({query}) AS q LIMIT 0")  # noqa: S608  # it is the user's own
            columns = {each.name: each.type_code for each in cursor.description}
        connection.rollback()
    except psycopg.OperationalError as error:
        raise ConnectionLost(str(error)) from error
    except psycopg.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise BadInput("query", f"PostgreSQL refuses it ({reason})") from error
    for name in where.columns:
        if name not in columns:
            raise BadInput(
                "query",
                wanted=f"a column {name!r}",
                got=", ".join(columns),
                hint="--id, --values and --time say what they are called",
            )
    return columns


def _selection(
    columns: dict[str, int], query: str, where: Where, known: Sequence[tuple[int, int]]
) -> tuple[str, int]:
    """The SELECT whose rows are a bigint and an array, and the number of the array's element type."""
    ident = '"' + where.id.replace('"', '""') + '"'
    values = '"' + where.values.replace('"', '""') + '"'
    if columns[where.id] not in INTEGERS:
        raise BadInput(
            f"column {where.id}",
            wanted="a whole number (bigint, integer)",
            got=f"another type (number {columns[where.id]} in pg_type)",
            hint=f"give one in --query, as hashtextextended({where.id}::text, 0) AS {where.id}",
        )
    skipped = "".join(f" AND {ident} NOT BETWEEN {a} AND {b}" for a, b in known)
    source = f"FROM ({query}) AS q WHERE true{skipped}"
    kind = columns[where.values]
    if kind in ARRAYS:
        element = ARRAYS[kind]
        cast = "::float8[]" if element == 1700 else ""
        return f"SELECT {ident}::bigint, {values}{cast} {source}", 701 if element == 1700 else element
    if not where.time:
        raise BadInput(
            f"column {where.values}",
            wanted="an array of numbers",
            got=f"another type (number {kind} in pg_type)",
            hint="is there one row a sample? then name its time with --time",
        )
    time = '"' + where.time.replace('"', '""') + '"'
    when = time if columns[where.time] in (*INTEGERS, 700, 701, 1700) else f"extract(epoch FROM {time})"
    return (
        f"SELECT {ident}::bigint, array_agg({values}::real ORDER BY {time}), "
        f"array_agg(({when})::float8 ORDER BY {time}) {source} GROUP BY {ident}"
    ), 700


def stream(url: str, query: str, where: Where, known: Int64[np.ndarray, " k"]) -> Iterator[Batch]:
    """Give the query's recordings in batches, whatever their order; those known already may come again.

    The connection breaking is ConnectionLost: ask again with what is known by then.
    """
    query = query.strip().rstrip(";")
    with closing(connect(url)) as connection:
        columns = _describe(connection, query, where)
        rows, element = _selection(columns, query, where, runs_of(known))
        yield from _copy(connection, rows, KINDS_OF_ELEMENT[element], time=bool(where.time))


def _copy(connection: Any, selection: str, kind: int, *, time: bool) -> Iterator[Batch]:
    import psycopg

    try:
        yield from in_order(_parse, _chunks(connection.pgconn, selection), kind, time)
    except psycopg.OperationalError as error:
        raise ConnectionLost(" ".join(str(error).split())) from error
    except psycopg.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise BadInput("query", f"PostgreSQL refuses it ({reason})") from error


def _chunks(line: Any, selection: str) -> Iterator[Rows]:
    """Some thousands of rows at a time, as they came, and how many they are.

    The rows are asked of libpq itself: `cursor.copy` goes through the interpreter a dozen times a row, which
    for a million of them takes as long as the server needs to send them. They are put together as they come:
    a list of them would wake the garbage collector again and again.
    """
    line.send_query(f"COPY ({selection}) TO STDOUT (FORMAT BINARY)".encode())
    _result(line, "COPY_OUT")
    rows, count = bytearray(), 0
    first = True
    while (size := (got := line.get_copy_data(1))[0]) >= 0:
        if size == 0:
            _wait(line)
            continue
        rows += got[1]
        count += 1
        if len(rows) >= CHUNK:
            yield rows[HEAD:] if first else rows, count
            rows, count, first = bytearray(), 0, False
    _result(line, "COMMAND_OK")
    if rows:
        yield rows[HEAD:] if first else rows, count


def _wait(line: Any) -> None:
    """Wait until the server has sent something; an interrupt comes through."""
    select.select([line.socket], [], [])
    line.consume_input()


def _result(line: Any, wanted: str) -> None:
    """Take what the server answers; anything but what is wanted is an error of psycopg's."""
    import psycopg

    while line.is_busy():
        _wait(line)
    result = line.get_result()
    if result is None or psycopg.pq.ExecStatus(result.status).name != wanted:
        state = result and result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
        kind = psycopg.errors.lookup(state.decode()) if state else psycopg.OperationalError
        raise kind(line.get_error_message() if result is None else result.get_error_message())


def _parse(rows: Rows, kind: int, time: bool) -> Batch:
    data, count = rows
    return binary_batch(np.frombuffer(data, np.uint8), count, kind, time=time)
