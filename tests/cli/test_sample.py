from pathlib import Path

import pytest

from okulo.cli.sample import sample


def test_it_says_what_was_written_and_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my clip art"
    assert sample("clipart", folder) == 0
    said = capsys.readouterr().out
    assert "public domain" in said
    assert f"799 files, 4.0 MB, in {folder}" in said
    assert f"next: okulo scan '{folder}' -o clipart.parquet" in said


def test_a_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").touch()
    assert sample("clipart", tmp_path) == 2
    assert (
        capsys.readouterr().err
        == f"okulo: {tmp_path}: is not empty; give a new or an empty one; nothing was changed\n"
    )
