import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.core.table import Items
from okulo.io.tables import read_findings, read_items, rebased, write_findings, write_items

ITEMS = pl.DataFrame({"id": ["a", "b"], "path": ["cat/1.png", "/else/2.png"], "mask": ["m/1.png", None]})


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """Files can grow to so many bytes only, as on a disk that is full."""
    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, was[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, was)
        signal.signal(signal.SIGXFSZ, old)


def test_a_table_comes_back_and_its_paths_follow_it(tmp_path: Path) -> None:
    written = write_items(Items(ITEMS, tmp_path / "data"), tmp_path / "items.parquet")
    assert written.frame["path"].to_list() == ["data/cat/1.png", "/else/2.png"]
    assert written.frame["mask"].to_list() == ["data/m/1.png", None]
    again = read_items(tmp_path / "items.parquet")
    assert again.frame.equals(written.frame)
    assert again.files()[0] == tmp_path / "data" / "cat" / "1.png"


def test_a_table_below_its_pictures_has_absolute_paths(tmp_path: Path) -> None:
    written = write_items(Items(ITEMS, tmp_path), tmp_path / "tables" / "items.parquet")
    assert written.frame["path"][0] == str(tmp_path / "cat" / "1.png")
    assert rebased(written.frame["path"], written.root, tmp_path)[0] == "cat/1.png"


def test_a_full_disk_is_a_clear_error_and_nothing_is_half_written(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    write_items(Items(ITEMS, tmp_path), path)
    before = path.read_bytes()
    big = pl.DataFrame(
        {"id": [f"{n * 7919:032x}" for n in range(5000)], "path": [f"{n}" for n in range(5000)]}
    )
    with small_disk(4096), pytest.raises(BadInput, match=r"items\.parquet: cannot be written \(.*too large"):
        write_items(Items(big, tmp_path), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["items.parquet"]


def test_an_unwritable_place_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be written"):
        write_items(Items(ITEMS, tmp_path), tmp_path / "file" / "items.parquet")


def test_findings_come_back_and_general_ones_stay(tmp_path: Path) -> None:
    found = Findings.of([("a.png", "blank", 0.5, "white"), ("class cat", "small-class", 0.5, "one")])
    path = tmp_path / "out" / "findings.parquet"
    write_findings(found, tmp_path / "out" / "data", path, general=("small-class",))
    assert pl.read_parquet(path)["item"].to_list() == ["data/a.png", "class cat"]
    back = read_findings(path, tmp_path / "out" / "data", general=("small-class",))
    assert back.frame.equals(found.frame)


def test_what_is_no_table_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        read_items(tmp_path / "x.parquet")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        read_findings(tmp_path / "x.parquet", tmp_path)
    with pytest.raises(BadInput, match="is a folder; `okulo scan"):
        read_items(tmp_path)
    with pytest.raises(BadInput, match="does not exist"):
        read_items(tmp_path / "none.parquet")


def test_only_the_columns_one_names_are_read(tmp_path: Path) -> None:
    write_items(Items(ITEMS.with_columns(extra=pl.lit(1)), tmp_path), tmp_path / "a.parquet")
    assert read_items(tmp_path / "a.parquet", columns=["path", "no-such", "id"]).frame.width == 2
