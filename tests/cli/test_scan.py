from pathlib import Path

import pytest
from rich.console import Console
from tests.io.pictures import fill

from okulo.cli.scan import scan, show
from okulo.curate.scan import ScanParams, run


def shown(**options: object) -> str:
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as capture:
        show(run(ScanParams(workers=1, **options)), console)
    return capture.get()


def test_the_report_says_what_is_there_and_what_is_wrong(tmp_path: Path) -> None:
    fill(tmp_path / "data", *(f"{n % 30:02}[bold]/{n}.png" for n in range(90)), "00[bold]/extra.png")
    (tmp_path / "data" / "00[bold]" / "bad\n.png").write_bytes(b"")
    text = shown(
        source=tmp_path / "data", output=tmp_path / "t.parquet", split="0.8/0.2", plot=tmp_path / "p.png"
    )
    assert "91 pictures" in text
    assert "read as folders" in text
    assert "… 18 more" in text
    assert "00[bold]" in text
    assert "the file has no bytes; left out" in text
    assert "bad\\n.png" in text
    for name in ("t.parquet", "t.findings.parquet", "p.png"):
        assert f"wrote {tmp_path / name}" in text
    again = shown(source=tmp_path / "data", output=tmp_path / "t.parquet")
    assert "since the last scan: 0 new, 0 changed, 0 gone, 91 as before" in again


def test_a_clean_flat_folder(tmp_path: Path) -> None:
    text = shown(source=fill(tmp_path / "data", "1.png"), output=tmp_path / "t.parquet")
    assert "no labels" in text
    assert "nothing wrong was found" in text


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fill(tmp_path / "data", "1.png")
    assert scan(folder, output=tmp_path / "t.parquet", split="0.9/0.9") == 2
    assert capsys.readouterr().err == "okulo: split: expected shares that sum to 1 (or 100), got '0.9/0.9'\n"
    (tmp_path / "file").touch()
    assert scan(folder, output=tmp_path / "file" / "t.parquet") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "file"]
