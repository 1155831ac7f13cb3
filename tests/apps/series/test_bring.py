"""Recordings come whole and once, from wherever they are; what is wrong with the input is said."""

import gzip
import subprocess
import threading
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest

from okulo.apps.series import bring
from okulo.apps.series.batch import Batch
from okulo.apps.series.bring import ImportParams, Known, run
from okulo.apps.series.files import find_program
from okulo.apps.series.postgres import ConnectionLost, runs_of
from okulo.apps.series.simulate import Simulated
from okulo.apps.series.store import Store, pieces
from okulo.core.errors import BadInput
from okulo.core.nouns import Series
from okulo.io.files import read_json


def rows_of(root: Path) -> dict[int, np.ndarray]:
    found: dict[int, np.ndarray] = {}
    for series in pieces(Store(root)):
        for number, values in zip(series.id, series):
            assert int(number) not in found
            found[int(number)] = values.copy()
    return found


def check_same(root: Path, few: Simulated) -> None:
    found = rows_of(root)
    assert sorted(found) == few.series.id.tolist()
    for number, values in zip(few.series.id, few.series):
        np.testing.assert_array_equal(found[int(number)], values)


def execute(url: str, *commands: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for command in commands:
            connection.execute(command)


def test_a_table_comes_bit_for_bit(server: str, few: Simulated, tmp_path: Path) -> None:
    report = run(ImportParams(source=server, table="recordings", out=tmp_path / "r", part=170))
    assert report.series == len(few.series)
    assert report.values == len(few.series.values)
    assert report.parts == 15
    assert report.findings["gaps"] > 100
    assert report.findings["infinite"] > 0
    check_same(tmp_path / "r", few)
    findings = pl.read_parquet(tmp_path / "r" / "findings.parquet")
    assert set(findings["kind"]) == {"gaps", "infinite"}


@pytest.mark.parametrize(
    ("kind", "exact"), [("real[]", True), ("float8[]", True), ("numeric[]", True), ("integer[]", False)]
)
def test_every_type_of_array(server: str, tmp_path: Path, kind: str, exact: bool) -> None:
    query = (
        f"SELECT id::integer AS id, ARRAY[1.5, -2, NULL, 1e10/7]::{kind} AS values FROM recordings LIMIT 3"
    )
    run(ImportParams(source=server, query=query, out=tmp_path / "r"))
    wanted = np.float32([1.5, -2, np.nan, 1e10 / 7] if exact else [2, -2, np.nan, round(1e10 / 7)])
    for values in rows_of(tmp_path / "r").values():
        np.testing.assert_allclose(values, wanted, rtol=1e-6)


def test_one_row_a_sample(server: str, few: Simulated, tmp_path: Path) -> None:
    execute(
        server,
        "DROP TABLE IF EXISTS samples",
        "CREATE TABLE samples AS SELECT id AS machine, t, v FROM recordings, "
        "unnest(values) WITH ORDINALITY AS u(v, t) WHERE id <= 300 ORDER BY random()",
        "DELETE FROM samples WHERE machine = 4 AND t = 2",
    )
    columns = {"id": "machine", "values": "v", "time": "t"}
    report = run(ImportParams(source=server, table="samples", out=tmp_path / "r", **columns))
    found = rows_of(tmp_path / "r")
    wanted = {int(i): v for i, v in zip(few.series.id, few.series) if i <= 300}
    wanted[4] = np.delete(wanted[4], 1)
    assert sorted(found) == sorted(wanted)
    for number, values in wanted.items():
        np.testing.assert_array_equal(found[number], values)
    assert report.findings["uneven times"] == 1
    stamped = "SELECT machine, timestamp '2024-01-01' + t * interval '1 s' AS at, v FROM samples"
    columns["time"] = "at"
    again = run(ImportParams(source=server, query=stamped, out=tmp_path / "s", **columns))
    assert again.findings["uneven times"] == 1
    for number, values in rows_of(tmp_path / "s").items():
        np.testing.assert_array_equal(values, found[number])


@pytest.mark.parametrize(
    ("layout", "packed"),
    [("plain", False), ("plain", True), ("custom", False), ("directory", False), ("tar", False)],
)
def test_dumps_need_no_server(server: str, few: Simulated, tmp_path: Path, layout: str, packed: bool) -> None:
    dump = tmp_path / ("dump.sql.gz" if packed else "dump")
    command = [find_program("pg_dump"), "-d", server, "-t", "recordings", "-F", layout[0], "-f"]
    subprocess.run([*command, str(tmp_path / "dump")], check=True)
    if packed:
        dump.write_bytes(gzip.compress((tmp_path / "dump").read_bytes(), 1))
    run(ImportParams(source=str(dump), out=tmp_path / "r"))
    check_same(tmp_path / "r", few)


def test_a_dump_of_samples_in_any_order(tmp_path: Path) -> None:
    restrict = r"\restrict 6fJ0x"  # what pg_dump writes since 17.6
    lines = ["-- PostgreSQL database dump", restrict, "COPY public.s (t, id, v) FROM stdin;"]
    lines += ["2024-01-01 00:00:02\t7\t2.5", "2024-01-01 00:00:01\t8\t\\N", "2024-01-01 00:00:01\t7\t-1e-3"]
    lines += ["broken\t7\t1", "2024-01-01 00:00:01\t\\N\t1", "\\.", ""]
    (tmp_path / "d.sql").write_text("\n".join(lines))
    columns = {"values": "v", "time": "t"}
    report = run(ImportParams(source=str(tmp_path / "d.sql"), out=tmp_path / "r", **columns))
    found = rows_of(tmp_path / "r")
    np.testing.assert_array_equal(found[7], np.float32([-1e-3, 2.5]))
    np.testing.assert_array_equal(found[8], np.float32([np.nan]))
    assert report.findings == {"unreadable": 1, "no id": 1, "gaps": 1}


def test_csv_and_parquet_say_the_same(parquet: Path, few: Simulated, tmp_path: Path) -> None:
    run(ImportParams(source=str(parquet), out=tmp_path / "p"))
    check_same(tmp_path / "p", few)
    part = Simulated(bring.cut(few.series, 0, 1500), few.kind[:1500])
    lists = [",".join("NULL" if np.isnan(v) else repr(float(v)) for v in row) for row in part.series]
    text = "id,note,values\n" + "".join(f'{i},x,"{{{row}}}"\n' for i, row in zip(part.series.id, lists))
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(text.encode(), 1))
    run(ImportParams(source=str(tmp_path / "r.csv.gz"), out=tmp_path / "c"))
    check_same(tmp_path / "c", part)
    rows = [(i, t, v) for i, row in zip(few.series.id[:50], few.series) for t, v in enumerate(row.tolist())]
    long = pl.DataFrame(rows, schema=["id", "t", "v"], orient="row").sample(fraction=1, shuffle=True, seed=1)
    long.write_csv(tmp_path / "long.csv")
    long.write_parquet(tmp_path / "long.parquet")
    for name in ("long.csv", "long.parquet"):
        run(ImportParams(source=str(tmp_path / name), out=tmp_path / f"{name}.d", values="v", time="t"))
        found = rows_of(tmp_path / f"{name}.d")
        assert sorted(found) == [i for i, row in zip(few.series.id[:50], few.series) if len(row)]
        for number, values in found.items():
            np.testing.assert_array_equal(values, list(few.series)[number - 1])


def test_a_lost_connection_is_opened_again(
    server: str, few: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("okulo.apps.series.postgres.CHUNK", 50_000)
    killed = threading.Event()
    add = bring.Writer.add

    def kill_once(self: bring.Writer, batch: Batch) -> None:
        add(self, batch)
        if not killed.is_set() and len(self.known.ids) > 1500:
            killed.set()
            execute(
                server,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'okulo'",
            )

    monkeypatch.setattr(bring.Writer, "add", kill_once)
    wait = "LATERAL (SELECT CASE WHEN id % 80 = 0 THEN pg_sleep(0.01) END) AS s"
    slow = f"SELECT id, values FROM recordings, {wait}"
    report = run(ImportParams(source=server, query=slow, out=tmp_path / "r", part=500))
    assert killed.is_set()
    assert report.reconnected == 1
    assert "repeated id" not in report.findings
    check_same(tmp_path / "r", few)


def test_an_import_that_broke_off_goes_on(
    server: str, few: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bring.stream
    monkeypatch.setattr("okulo.apps.series.postgres.CHUNK", 50_000)

    def breaks(*arguments: object) -> object:
        for place, batch in enumerate(real(*arguments)):  # type: ignore[arg-type]
            if place == 10:
                raise ConnectionLost("server closed the connection unexpectedly")
            yield batch

    params = ImportParams(source=server, table="recordings", out=tmp_path / "r", part=500, retries=0)
    monkeypatch.setattr(bring, "stream", breaks)
    with pytest.raises(BadInput, match=r"connection was lost after [\d,]+ recordings.*goes on from there"):
        run(params)
    assert read_json(tmp_path / "r" / "import.json")["complete"] is False
    with pytest.raises(BadInput, match="has not ended; run the same import again"):
        Store(tmp_path / "r").require()
    other = ImportParams(source=server, query="SELECT 1 AS id", out=tmp_path / "r")
    with pytest.raises(BadInput, match="holds part of another import"):
        run(other)
    monkeypatch.setattr(bring, "stream", real)
    report = run(params)
    assert report.resumed_from > 500
    assert "repeated id" not in report.findings
    check_same(tmp_path / "r", few)
    with pytest.raises(BadInput, match="holds a complete import; --replace"):
        run(params)
    run(ImportParams(**{**vars(params), "replace": True}))
    check_same(tmp_path / "r", few)


def test_repeated_ids_come_once(tmp_path: Path) -> None:
    pl.DataFrame({"id": [3, 1, 3], "values": [[1.0], [2.0], [9.0]]}).write_parquet(tmp_path / "r.parquet")
    report = run(ImportParams(source=str(tmp_path / "r.parquet"), out=tmp_path / "r"))
    assert report.findings == {"repeated id": 1}
    assert {k: v.tolist() for k, v in rows_of(tmp_path / "r").items()} == {3: [1.0], 1: [2.0]}


def test_known_ids_against_a_set() -> None:
    rng = np.random.default_rng(0)
    known, seen = Known(np.empty(0, np.int64)), set()
    for _ in range(50):
        ids = rng.integers(0, 400, rng.integers(0, 30))
        fresh = known.fresh(ids)
        for number, new in zip(ids.tolist(), fresh.tolist()):
            assert new == (number not in seen)
            seen.add(number)
    assert known.ids.tolist() == sorted(seen)


def test_runs_cover_what_they_say() -> None:
    ids = np.unique(np.random.default_rng(1).integers(0, 300, 200))
    covered = {i for a, b in runs_of(ids, most=1000) for i in range(a, b + 1)}
    assert covered == set(ids.tolist())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": "SELECT id FROM recordings"}, r"query: expected a column 'values', got id"),
        ({"query": "SELEKT 1"}, r"query: PostgreSQL refuses it \(syntax error"),
        ({"table": "nowhere"}, r'query: PostgreSQL refuses it \(relation "nowhere" does not exist'),
        ({"query": "DELETE FROM recordings RETURNING id, values"}, r"query: PostgreSQL refuses it"),
        ({"query": "SELECT id::text, values FROM recordings"}, r"column id: expected a whole number"),
        (
            {"query": "SELECT id, 1.5 AS values FROM recordings"},
            r"column values: expected an array of numbers",
        ),
        ({"query": "SELECT id, values FROM recordings WHERE id < 0"}, r"holds no recordings"),
        ({"query": "SELECT 1/(id-3) AS id, values FROM recordings"}, r"refuses it \(division by zero"),
        ({}, r"query: expected either --query or --table, got none"),
    ],
)
def test_queries_that_cannot_be_used(
    server: str, tmp_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        run(ImportParams(source=server, out=tmp_path / "r", **options))
    assert not (tmp_path / "r").exists()


def test_wrong_credentials_and_hosts_show_no_password(server: str, tmp_path: Path) -> None:
    wrong = server.replace("okulo@", "nobody:secret@")
    nowhere = server.replace("okulo@", "okulo:secret@").rpartition(":")[0]
    for url in (wrong, f"{nowhere}:1/postgres"):
        with pytest.raises(BadInput, match="cannot be reached") as caught:
            run(ImportParams(source=url, table="recordings", out=tmp_path / "r"))
        assert "secret" not in str(caught.value)


def test_a_wrong_password_and_a_role_that_may_not_read(server: str, tmp_path: Path) -> None:
    """This server trusts everybody; one role is made to need its password."""
    with psycopg.connect(server) as connection:
        rules = Path(connection.execute("SHOW hba_file").fetchone()[0])  # type: ignore[index]
    rules.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    execute(server, "CREATE ROLE locked LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()")
    said = {"wrong": r"cannot be reached \(.*password authentication failed", "right": "permission denied"}
    for password, message in said.items():
        url = server.replace("okulo@", f"locked:{password}@")
        with pytest.raises(BadInput, match=message) as caught:
            run(ImportParams(source=url, table="recordings", out=tmp_path / "r"))
        assert password not in str(caught.value).replace("reached", "")
        assert not (tmp_path / "r").exists()


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    def refused(name: str, data: bytes, message: str, **options: str) -> None:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadInput, match=message):
            run(ImportParams(source=str(tmp_path / name), out=tmp_path / "r", **options))
        assert not (tmp_path / "r").exists()

    copy = b"COPY public.r (id, values) FROM stdin;\n1\t{1,2}\n"
    refused("empty.sql", b"", "is empty")
    refused("text.sql", b"hello", "is no dump of PostgreSQL; CSV files end in")
    refused("schema.sql", b"-- PostgreSQL database dump\n", "without data; make it without --schema-only")
    refused("inserts.sql", b"\nINSERT INTO r VALUES (1);\n", "holds INSERT commands; make the dump without")
    refused("cut.sql", copy, "ends in the middle of a table")
    refused("other.sql", copy + b"\\.\n", r"expected a table x, got public.r \(id, values\)", table="x")
    refused("names.sql", copy + b"\\.\n", "expected a table with the columns id, v", values="v")
    two = copy + b"\\.\n" + copy.replace(b"public.r", b"public.s") + b"\\.\n"
    (tmp_path / "two.sql").write_bytes(two)
    with pytest.raises(BadInput, match=r"both public.r and public.s have these columns; --table"):
        run(ImportParams(source=str(tmp_path / "two.sql"), out=tmp_path / "two"))
    refused(
        "version.dump",
        b"PGDMP\x01\x63\x00\x04\x08\x01" + bytes(40),
        r"cannot be read by pg_restore \(unsupported version.*a newer",
    )
    refused("broken.parquet", b"PAR1 nothing", "cannot be read as Parquet")
    refused("no.csv", b"id,x\n1,2\n", "expected a column 'values', got id, x")
    refused("only.csv", b"id,values\n", "holds no recordings")
    (tmp_path / "cut.sql.gz").write_bytes(gzip.compress(copy * 3000)[:-20])
    with pytest.raises(BadInput, match=r"ends too early or is damaged|ends in the middle"):
        run(ImportParams(source=str(tmp_path / "cut.sql.gz"), out=tmp_path / "gz"))


def test_rows_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    lines = ["COPY r (values, id) FROM stdin;", "{1,NaN,-Infinity,2e3}\t1", "{{1,2},{3,4}}\t2", "{1,x}\t3"]
    lines += ["\\N\t4", "{1}\t\\N", "{}\t5", "{1}\tabc", "{1, 2 ,3}\t-6", "\\.", ""]
    (tmp_path / "d.sql").write_text("\n".join(lines))
    report = run(ImportParams(source=str(tmp_path / "d.sql"), out=tmp_path / "r"))
    found = rows_of(tmp_path / "r")
    assert sorted(found) == [-6, 1, 4, 5]
    np.testing.assert_array_equal(found[1], np.float32([1, np.nan, -np.inf, 2000]))
    assert found[-6].tolist() == [1, 2, 3]
    expected = {"unreadable": 3, "no id": 1, "no values": 1, "gaps": 1, "infinite": 1, "empty": 2}
    assert report.findings == expected


def test_a_folder_of_something_else_is_left_alone(parquet: Path, tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="is not empty and holds no recordings"):
        run(ImportParams(source=str(parquet), out=tmp_path / "r", replace=True))
    assert [p.name for p in (tmp_path / "r").iterdir()] == ["mine.txt"]


def test_joined_parts_keep_every_row() -> None:
    first = Series(np.array([1, 2]), np.float32([1, 2, 3]), np.array([0, 1, 3]))
    second = Series(np.array([9]), np.float32([7]), np.array([0, 1]))
    both = bring.join([first, second])
    assert [row.tolist() for row in both] == [[1], [2, 3], [7]]
