"""The series commands, as they are given."""

import json
from pathlib import Path

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
