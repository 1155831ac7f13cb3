"""A scan from end to end: what is there, what is wrong, what changed; nothing fatal, nothing half written."""

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.io.pictures import fill, write_picture
from tests.io.test_tables import small_disk

from okulo.core.errors import BadInput
from okulo.core.report import to_json
from okulo.core.table import COLUMNS, check_table
from okulo.curate import scan as scanning
from okulo.curate.scan import ScanParams, ScanReport, run
from okulo.io.images import encode_png
from okulo.io.tables import read_items


def scan(source: Path, **options: object) -> ScanReport:
    return run(ScanParams(source=source, output=source.parent / "items.parquet", workers=1, **options))


def table(report: ScanReport) -> pl.DataFrame:
    return read_items(report.output).frame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "data", *(f"{label}/{n}.png" for label in ("cat", "dog") for n in range(10)))


def test_a_clean_folder(folder: Path) -> None:
    report = scan(folder, split="0.8/0.1/0.1")
    frame = table(report)
    check_table(frame)
    assert frame.columns == [name for name in COLUMNS if name in frame.columns]
    assert report.items == len(frame) == 20
    assert report.splits == {"test": 2, "train": 16, "val": 2}
    assert report.sides == (16, 16, 16)
    assert report.kinds == {}
    assert report.changes is None
    assert all(path.is_file() for path in read_items(report.output).files())
    json.dumps(to_json(report))


def test_five_in_a_hundred_files_are_broken_and_the_scan_goes_on(tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", *(f"{n % 4}/{n:03}.png" for n in range(200)))
    broken = sorted(folder.rglob("*.png"))[::20]
    for number, path in enumerate(broken):
        data = path.read_bytes()
        path.write_bytes([data[: len(data) // 2], b"", b"no picture", data[:30], bytes(100)][number % 5])
    report = scan(folder, split="80/10/10")
    assert (report.items, report.left_out) == (190, 10)
    assert report.kinds == {"truncated": 2, "unreadable": 6, "empty": 2}
    found = pl.read_parquet(report.findings_file)
    assert sorted(found["item"]) == sorted(str(path.relative_to(tmp_path)) for path in broken)


def test_every_kind_of_trouble_is_a_finding(folder: Path) -> None:
    write_picture(folder / "cat" / "tiny.png", 900, size=(3, 30))
    write_picture(folder / "cat" / "long.png", 901, size=(200, 10))
    write_picture(folder / "cat" / "big.png", 902, size=(300, 300))
    (folder / "cat" / "blank.png").write_bytes(encode_png(np.full((20, 20, 3), 7, np.uint8)))
    (folder / "dog" / "copy.png").write_bytes((folder / "cat" / "1.png").read_bytes())
    (folder / "dog" / "out.png").symlink_to("/etc/hostname")
    (folder / "dog" / "new\nline.png").write_bytes(b"")
    Path(os.fsdecode(bytes(folder) + b"/dog/\xff\xfe.png")).touch()
    write_picture(folder / "dog" / ("long" * 60 + ".png"), 903)
    report = scan(folder, max_pixels=50_000)
    assert report.kinds == {
        "bad-name": 1, "blank": 1, "contradiction": 2, "empty": 1, "huge": 1, "identical": 1, "link-out": 1,
        "odd-shape": 1, "tiny": 1,
    }  # fmt: skip
    assert (report.items, report.left_out) == (25, 2)


def test_identical_pictures_never_straddle(tmp_path: Path) -> None:
    folder = fill(tmp_path / "data", *(f"a/{n}.png" for n in range(30)))
    for path in sorted(folder.rglob("*.png")):
        (path.parent / f"copy-{path.name}").write_bytes(path.read_bytes())
    report = scan(folder, split="0.5/0.25/0.25")
    assert table(report).group_by("id").agg(pl.col("split").n_unique())["split"].max() == 1
    assert "leak" not in report.kinds


def test_orientation_and_mode_are_told_as_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "data").mkdir()
    Image.new("L", (20, 10)).save(tmp_path / "data" / "a.jpg", exif=exif)
    assert table(scan(tmp_path / "data")).select("width", "height", "mode", "orientation").rows() == [
        (10, 20, "L", 6)
    ]


def test_a_second_scan_looks_only_at_what_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = table(scan(folder, split="0.5/0.5"))
    (folder / "cat" / "0.png").unlink()
    write_picture(folder / "cat" / "1.png", 500)
    write_picture(folder / "cat" / "new.png", 501)
    looked: list[str] = []
    inner = scanning.examine_all

    def watched(paths, bounds, *, processes):
        looked.extend(paths)
        return inner(paths, bounds, processes=processes)

    monkeypatch.setattr(scanning, "examine_all", watched)
    second = scan(folder, split="0.5/0.5")
    assert sorted(Path(path).name for path in looked) == ["1.png", "new.png"]
    assert second.changes is not None
    assert to_json(second.changes) == {"new": 1, "changed": 1, "unchanged": 18, "gone": 1}
    kept = first.join(table(second), on=["path", "id"])
    assert len(kept) == 18
    assert kept["split"].equals(kept["split_right"])
    assert table(second)["split"].null_count() == 0


def test_a_second_scan_keeps_what_the_user_added(folder: Path) -> None:
    report = scan(folder)
    mine = table(report).with_columns(
        pl.Series("group", range(20), dtype=pl.Int64),
        pl.col("path").alias("note"),
        pl.when(pl.col("path").str.ends_with("cat/3.png"))
        .then(pl.lit("dog"))
        .otherwise(pl.col("label"))
        .alias("label"),
    )
    mine.write_parquet(report.output)
    write_picture(folder / "cat" / "4.png", 700)
    again = scan(folder)
    frame = table(again)
    assert frame.filter(pl.col("note").is_null())["path"].to_list() == ["data/cat/4.png"]
    assert frame["group"].null_count() == 1
    assert frame.filter(pl.col("path") == "data/cat/3.png")["label"].item() == "dog"
    assert again.kinds == {"relabelled": 1}
    fresh = scan(folder, fresh=True)
    assert "note" not in table(fresh).columns
    assert table(fresh).filter(pl.col("path") == "data/cat/3.png")["label"].item() == "cat"


def test_findings_that_need_a_decode_stay_after_a_second_scan(folder: Path) -> None:
    (folder / "cat" / "blank.png").write_bytes(encode_png(np.full((20, 20, 3), 7, np.uint8)))
    (folder / "cat" / "bad.png").write_bytes(b"bad")
    assert scan(folder).kinds == scan(folder).kinds == {"blank": 1, "unreadable": 1}
    write_picture(folder / "cat" / "blank.png", 77)
    assert scan(folder).kinds == {"unreadable": 1}


def test_a_touched_file_with_the_same_bytes_is_as_before(folder: Path) -> None:
    scan(folder, split="0.5/0.5")
    os.utime(folder / "cat" / "1.png", ns=(1, 1))
    changes = scan(folder).changes
    assert changes is not None
    assert (changes.changed, changes.unchanged) == (0, 20)


def test_scanning_the_table_itself_brings_it_up_to_date(folder: Path) -> None:
    report = scan(folder, split="0.5/0.5")
    before = table(report)
    (folder / "dog" / "9.png").unlink()
    again = run(ScanParams(source=report.output, output=report.output, workers=1))
    assert table(again).equals(before.filter(~pl.col("path").str.ends_with("dog/9.png")))
    assert again.kinds == {"missing": 1}


def test_splits_are_kept_unless_asked(folder: Path) -> None:
    first = table(scan(folder, split="0.5/0.5", seed=1))
    assert table(scan(folder, split="0.8/0.2", seed=2))["split"].equals(first["split"])
    assert dict(scan(folder, split="0.8/0.2", resplit=True).splits) == {"train": 16, "val": 4}


def test_a_validation_part_can_be_taken_from_train(tmp_path: Path) -> None:
    names = [f"{part}/{label}/{n}.png" for part in ("train", "test") for label in "ab" for n in range(10)]
    report = scan(fill(tmp_path / "data", *names), val=0.2)
    assert report.splits == {"test": 20, "train": 16, "val": 4}
    assert report.balance.counts.select("label", "train", "val", "test").rows() == [
        ("a", 8, 2, 10),
        ("b", 8, 2, 10),
    ]
    assert scan(tmp_path / "data", val=0.5).splits == report.splits


def test_processes_make_the_same_table(folder: Path, tmp_path: Path) -> None:
    one = scan(folder)
    two = run(ScanParams(source=folder, output=tmp_path / "two.parquet", workers=2))
    assert table(one).equals(table(two))
    assert one.fingerprint == two.fingerprint


def test_the_plot_is_not_taken_for_a_picture_of_the_data(folder: Path) -> None:
    for _ in range(2):
        report = run(
            ScanParams(source=folder, output=folder / "items.parquet", plot=folder / "balance.png", workers=1)
        )
        assert report.items == 20
    assert table(report)["path"][0] == "cat/0.png"


def test_a_csv_elsewhere_can_describe_a_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "some.csv").write_text("path,label\ncat/1.png,lion\ndog/2.png,wolf\n")
    report = scan(folder, csv=tmp_path / "lists" / "some.csv")
    assert table(report)["label"].to_list() == ["lion", "wolf"]


def test_a_full_disk_is_a_clear_error_and_the_old_table_stays(folder: Path) -> None:
    report = scan(folder)
    before = report.output.read_bytes()
    with small_disk(512), pytest.raises(BadInput, match=r"cannot be written"):
        scan(folder, fresh=True)
    assert report.output.read_bytes() == before
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        "data",
        "items.findings.parquet",
        "items.parquet",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "0.8/0.8"}, "shares that sum to 1"),
        ({"resplit": True}, "resplit: needs --split"),
        ({"val": 0.1}, "val: needs items in train"),
        ({"csv": Path("none.csv")}, "none.csv: is no file"),
        ({"format": "yolo"}, "holds no pictures \\(read as yolo\\)"),
    ],
)
def test_bad_parameters_are_refused_and_nothing_is_written(
    folder: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        scan(folder, **options)
    assert [path.name for path in folder.parent.iterdir()] == ["data"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").touch()
    with pytest.raises(BadInput, match="holds no pictures"):
        scan(tmp_path / "data")


def test_an_output_that_is_no_table_is_not_overwritten(folder: Path) -> None:
    output = folder.parent / "items.parquet"
    output.write_text("mine")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        scan(folder)
    assert output.read_text() == "mine"


def test_only_broken_files_give_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "1.png").write_bytes(b"x")
    report = scan(tmp_path / "data", split="0.8/0.2")
    assert (report.items, report.kinds) == (0, {"unreadable": 1})
