import io
import stat
import zipfile
from pathlib import Path

import pytest

from okulo.core.errors import BadInput
from okulo.io import samples
from okulo.io.images import read_image
from okulo.io.samples import SAMPLES, SampleParams, find_sample, run, unpack


def packed(path: Path, *names: str, attributes: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = attributes << 16
            archive.writestr(entry, b"x")
    return path


def test_fashion_is_balanced_and_readable(tmp_path: Path) -> None:
    report = run(SampleParams(name="fashion", folder=tmp_path / "new" / "fashion"))
    assert report.files == 12_001
    for split, each in (("train", 1000), ("test", 200)):
        folders = sorted((report.folder / split).iterdir())
        assert len(folders) == 10
        assert "ankle-boot" in {folder.name for folder in folders}
        assert {len(list(folder.glob("*.png"))) for folder in folders} == {each}
    assert read_image(next(report.folder.glob("train/bag/*.png"))).shape == (28, 28, 3)
    assert "MIT" in (report.folder / "LICENCE.txt").read_text()


def test_clipart_is_small_colour_pictures(tmp_path: Path) -> None:
    report = run(SampleParams(name="clipart", folder=tmp_path))
    pictures = sorted(tmp_path.glob("*/*.png"))
    assert len(pictures) == report.files - 1 == 798
    assert len(list(tmp_path.iterdir())) == 9
    shapes = [read_image(path).shape for path in pictures[::20]]
    assert max(side for shape in shapes for side in shape) <= 96
    assert "public" in (tmp_path / "LICENCE.txt").read_text()


def test_the_packed_samples_are_small() -> None:
    assert sum(find_sample(name).stat().st_size for name in SAMPLES) <= 12_000_000


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="is not empty; give a new or an empty one"):
        run(SampleParams(name="clipart", folder=tmp_path))
    with pytest.raises(BadInput, match="is no folder"):
        run(SampleParams(name="clipart", folder=tmp_path / "mine.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "name", ["../out.png", "/etc/out.png", "a/../../out.png", "C:\\out.png", "..\\out.png"]
)
def test_hostile_names_are_refused(tmp_path: Path, name: str) -> None:
    archive = packed(tmp_path / "bad.zip", "good.png", name)
    with pytest.raises(BadInput, match="leads out of its folder"):
        unpack(archive, tmp_path / "in" / "here")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.zip"]


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "bad.zip", "link", attributes=stat.S_IFLNK | 0o777)
    with pytest.raises(BadInput, match="no plain file"):
        unpack(archive, tmp_path / "here")


def test_an_archive_that_would_fill_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "MAX_BYTES", 3)
    with pytest.raises(BadInput, match="at most 50,000 files and 3 bytes, got 4 files and 4 bytes"):
        unpack(packed(tmp_path / "big.zip", *"abcd"), tmp_path / "here")


def test_a_damaged_archive_leaves_nothing(tmp_path: Path) -> None:
    data = bytearray(find_sample("clipart").read_bytes())
    data[2_000_000:2_000_100] = bytes(100)
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(data)
    with pytest.raises(BadInput, match="cannot be unpacked"):
        unpack(damaged, tmp_path / "here")
    assert not (tmp_path / "here").exists()
    damaged.write_bytes(io.BytesIO(data[:5000]).getvalue())
    with pytest.raises(BadInput, match="cannot be unpacked"):
        unpack(damaged, tmp_path / "here")


def test_an_unwritable_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be written"):
        unpack(find_sample("clipart"), tmp_path / "file" / "below")
