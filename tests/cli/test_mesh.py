import re
from pathlib import Path

import pytest

from okulo.cli.main import make_app

EMPTY = "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\n"
FILES = {
    "empty file": ("in.ply", "", "is no PLY mesh"),
    "no vertices": ("in.off", "OFF\n0 0 0\n", "no mesh|no faces|is no OFF"),
    "points only": ("in.ply", EMPTY.format(2) + "end_header\n0 0 0\n1 0 0\n", "no faces"),
    "NaN": ("in.off", "OFF\n3 1 0\n0 0 nan\n1 0 0\n0 1 0\n3 0 1 2\n", "not finite"),
    "half a file": ("in.off", "OFF\n3 1 0\n0 0 0\n1 0", "is no OFF mesh"),
    "another format": ("in.png", "not a picture", "ends in"),
    "wrong ending": ("in.stl", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "no mesh|is no STL"),
}


@pytest.mark.parametrize("case", FILES)
def test_what_is_no_mesh_ends_with_one_line_and_code_2(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, wanted = FILES[case]
    (tmp_path / name).write_text(content)
    asked = ["mesh", "denoise", str(tmp_path / name), "-o", str(tmp_path / "out.ply"), "--quiet"]
    assert make_app()(asked, exit_on_error=False, result_action="return_value") == 2
    said = capsys.readouterr().err
    assert re.search(wanted, " ".join(said.split())) and "Traceback" not in said
    assert [each.name for each in tmp_path.iterdir()] == [name]
