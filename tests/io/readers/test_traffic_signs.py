"""The German traffic signs as they come: 43 unbalanced classes, Train/0/… and Test.csv (Path, ClassId)."""

from pathlib import Path

import polars as pl
import pytest
from tests.io.pictures import write_picture

from okulo.curate.balance import class_balance
from okulo.io.readers.choose import Source, read_listing
from okulo.io.readers.listing import Listing

CLASSES = 43
HEAD = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path"


def train_count(number: int) -> int:
    return 1 + (number * 7) % 20  # 1 to 20, as uneven as the real ones


def make_signs(root: Path, *, folder: str = "{}", train_csv: bool = True) -> Path:
    seed = 0
    lists: dict[str, list[str]] = {"Train": [], "Test": []}
    for number in range(CLASSES):
        for each in range(train_count(number)):
            path = f"Train/{folder.format(number)}/{number:05}_{each:05}.png"
            write_picture(root / path, seed := seed + 1)
            lists["Train"].append(f"16,12,1,2,14,11,{number},{path}")
        path = f"Test/{number:05}.png"
        write_picture(root / path, seed := seed + 1)
        lists["Test"].append(f"16,12,1,2,14,11,{number},{path}")
        write_picture(root / f"Meta/{number}.png", seed := seed + 1)
    meta = "\n".join(f"Meta/{number}.png,{number},0,0,1.1" for number in range(CLASSES))
    (root / "Meta.csv").write_text(f"Path,ClassId,ShapeId,ColorId,SignId\n{meta}\n")
    for name, lines in lists.items():
        if name == "Test" or train_csv:
            (root / f"{name}.csv").write_text("\n".join([HEAD, *lines]) + "\n")
    return root


def check(listing: Listing) -> None:
    frame = listing.frame
    counted = dict(frame.filter(pl.col("split") == "train").group_by("label").len().rows())
    assert counted == {str(number): train_count(number) for number in range(CLASSES)}
    tests = frame.filter(pl.col("split") == "test")
    assert len(tests) == CLASSES
    assert dict(zip(tests["path"], tests["label"]))["Test/00007.png"] == "7"
    balance = class_balance(frame)
    assert len(balance.counts) == CLASSES
    assert balance.ratio == 21 / 2
    assert balance.words.startswith("very unbalanced")


def test_both_lists(tmp_path: Path) -> None:
    listing = read_listing(Source(make_signs(tmp_path)))
    check(listing)
    assert listing.form == "csv"
    assert [tuple(box.values()) for box in listing.frame["boxes"][0]] == [(1, 2, 14, 11, "0")]
    assert "Width" not in listing.frame.columns
    assert listing.skipped == CLASSES + 3  # the Meta pictures and the lists themselves
    assert not len(listing.findings)


@pytest.mark.parametrize("folder", ["{}", "{:05}"])
def test_training_folders_and_a_list_of_the_test_part(tmp_path: Path, folder: str) -> None:
    listing = read_listing(Source(make_signs(tmp_path, folder=folder, train_csv=False)))
    check(listing)
    assert listing.form == "csv and folders"


def test_the_original_archive(tmp_path: Path) -> None:
    write_picture(tmp_path / "Images" / "00000.png")
    (tmp_path / "Images" / "GT-final_test.csv").write_text(
        "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n00000.png;16;12;1;2;14;11;16\n"
    )
    listing = read_listing(Source(tmp_path / "Images"))
    assert listing.frame.select("path", "split", "label").rows() == [("00000.png", "test", "16")]
