import sys
import textwrap
from pathlib import Path

import pytest
from tests.io.pictures import write_picture

from okulo.io import workers
from okulo.io.examine import Bounds, Examined, examine
from okulo.io.workers import examine_all

BOUNDS = Bounds(max_pixels=1000, verify=True)


def many(root: Path) -> list[str]:
    paths = [str(write_picture(root / f"{number:03}.png", number)) for number in range(40)]
    paths[7] = str(root / "missing.png")
    (root / "005.png").write_bytes((root / "005.png").read_bytes()[:-30])
    (root / "006.png").write_bytes(b"")
    write_picture(root / "008.png", size=(100, 50))
    return paths


def test_processes_find_what_one_finds_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CHUNK", 6)
    paths = many(tmp_path)
    here = list(examine_all(paths, BOUNDS))
    there = list(examine_all(paths, BOUNDS, processes=2))
    assert there == here == [examine(path, BOUNDS) for path in paths]
    assert [examined.problem for examined in here[4:10]] == [
        "",
        "truncated",
        "empty",
        "unreadable",
        "huge",
        "",
    ]
    assert len({examined.id for examined in here}) == 37


def test_a_decoder_that_crashes_costs_one_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CHUNK", 4)
    script = tmp_path / "worker.py"
    script.write_text(
        textwrap.dedent("""
        import os, okulo.io.examine as examine
        inner = examine.examine
        examine.examine = lambda path, bounds: os.abort() if path.endswith("003.png") else inner(path, bounds)
        examine.main()
        """)
    )
    paths = [str(write_picture(tmp_path / f"{number:03}.png", number)) for number in range(8)]
    got = list(examine_all(paths, BOUNDS, processes=2, command=(sys.executable, str(script))))
    assert got[3] == Examined(problem="unreadable", reason="a decoder crashed on it")
    assert [each.problem for each in got] == ["", "", "", "unreadable", "", "", "", ""]


def test_stopping_early_ends_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CHUNK", 2)
    steps = examine_all(many(tmp_path), BOUNDS, processes=2)
    next(steps)
    steps.close()


def test_a_header_alone_is_enough_without_verify(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png")
    path.write_bytes(path.read_bytes()[:-30])
    assert examine(str(path), Bounds(1000, verify=False)).width == 16
    assert examine(str(path), BOUNDS).problem == "truncated"


def test_folders_and_odd_names_are_said_to_be_unreadable(tmp_path: Path) -> None:
    assert examine(str(tmp_path), BOUNDS).reason == "it is no plain file"
    assert examine("a\0b", BOUNDS).problem == "unreadable"
    assert examine(str(tmp_path / ("x" * 300)), BOUNDS).problem == "unreadable"
