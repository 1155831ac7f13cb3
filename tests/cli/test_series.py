"""The series commands, as they are given."""

import json
from pathlib import Path

import polars as pl
import pytest

from okulo.cli.series import PARTS, series


def okulo(*arguments: str) -> int:
    code = series(list(arguments), exit_on_error=False, result_action="return_value")
    assert isinstance(code, int)
    return code


def test_from_simulated_recordings_to_a_page_and_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, store = str(tmp_path / "r.parquet"), str(tmp_path / "recordings")
    assert okulo("simulate", file, "-n", "4000", "--quiet") == 0
    assert "late start" in capsys.readouterr().out
    assert okulo("all", file, "-o", store, "--quiet") == 0
    said = capsys.readouterr().out
    assert "4,000 recordings from" in said
    assert "what sets it apart" in said
    assert (tmp_path / "recordings" / "report.html").exists()
    (tmp_path / "names.csv").write_text("group,name\n1,one\n2,two\n")
    assert okulo("label", store, str(tmp_path / "names.csv"), "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["names"]) == {"normal", "one", "two"}
    assert okulo("watch", store, file, "--quiet") == 0
    assert "0 new recordings" in capsys.readouterr().out
    assert okulo("simulate", str(tmp_path / "new.parquet"), "-n", "300", "--seed", "5", "--quiet") == 0
    assert okulo("simulate", file, "--quiet") == 2
    assert "exists already" in capsys.readouterr().err


def test_features_explain_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert okulo("features", "--explain") == 0
    said = capsys.readouterr().out
    assert "peak_position" in said
    assert "Ridler" in said


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_help(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    series([part, "--help"], exit_on_error=False, result_action="return_value")
    assert "--json" in capsys.readouterr().out


def test_bad_input_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert okulo("import", str(tmp_path / "missing.sql"), "-o", str(tmp_path / "r")) == 2
    assert capsys.readouterr().err == f"okulo: {tmp_path / 'missing.sql'}: does not exist\n"
    assert okulo("import", "mysql://host/db", "-o", str(tmp_path / "r")) == 2
    assert "expected postgresql://… or a file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


NOTHING, ONE = [[float("nan")] * 60] * 3, [0.0] * 8 + [4.0, 2.0] + [1.0] * 30 + [0.01] * 20


@pytest.mark.parametrize(
    ("rows", "code", "message"),
    [
        ([], 2, "holds no recordings"),
        (NOTHING, 2, r"every recording is excluded (3: no values): nothing to group"),
        ([[7.0] * 60], 2, "every recording is excluded (1: constant)"),
        ([ONE], 0, "no groups: nothing that departs from the normal"),
        ([ONE, [float("inf")] * 60, [*ONE[:20], float("-inf"), *ONE[21:]]], 0, "infinite           2"),
    ],
    ids=["empty", "all NaN", "constant", "one", "infinite"],
)
def test_hardly_anything_to_group(
    rows: list[list[float]], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {"id": pl.Int64, "values": pl.List(pl.Float64)}
    pl.DataFrame({"id": list(range(len(rows))), "values": rows}, schema).write_parquet(tmp_path / "r.parquet")
    store = tmp_path / "store"
    assert okulo("all", str(tmp_path / "r.parquet"), "-o", str(store), "--quiet") == code
    said = capsys.readouterr()
    assert message in (said.err if code else said.out)
    assert (store / "report.html").exists() == (code == 0)
    assert (store / "groups.parquet").exists() == (code == 0)
    assert store.exists() == bool(rows)
