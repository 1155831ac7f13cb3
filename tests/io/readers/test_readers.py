"""Each reader on a small data set laid out as people have them; the form is recognised, nothing is fatal."""

import json
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.io.pictures import fill

from okulo.core.errors import BadInput
from okulo.io.readers.choose import Source, read_listing
from okulo.io.readers.listing import Listing
from okulo.io.readers.yolo import boxes_of, names_of_yaml

COCO = {
    "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
    "images": [
        {"id": 1, "file_name": "a.png"},
        {"id": 2, "file_name": "b.png"},
        {"id": 9, "file_name": "c.png"},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 1, "category_id": 7, "bbox": [0, 0, 16, 12.5]},
        {"id": 3, "image_id": 2, "category_id": 7, "bbox": [5, 5, 2, 2], "iscrowd": 1},
        {"id": 4, "image_id": 5, "category_id": 7, "bbox": [5, 5, 2, 2]},
        {"id": 5, "image_id": 1, "category_id": 7, "bbox": [5, 5, float("nan"), 2]},
        {"id": 6, "image_id": 1, "category_id": 8, "bbox": [5, 5, 2, 2]},
    ],
}


def rows(listing: Listing, *columns: str) -> list[tuple[object, ...]]:
    return listing.frame.select(columns).rows()


def kinds(listing: Listing) -> dict[str, int]:
    return listing.findings.counts()


def test_class_folders(tmp_path: Path) -> None:
    listing = read_listing(Source(fill(tmp_path, "cat/1.png", "dog/old/2.png", "dog/note.txt.png", "3.png")))
    assert listing.form == "folders"
    assert rows(listing, "path", "label") == [
        ("3.png", None), ("cat/1.png", "cat"), ("dog/note.txt.png", "dog"), ("dog/old/2.png", "dog"),
    ]  # fmt: skip
    assert "split" not in listing.frame.columns


def test_class_folders_below_splits(tmp_path: Path) -> None:
    listing = read_listing(Source(fill(tmp_path, "Train/cat/1.png", "valid/cat/2.png", "test/dog/3.png")))
    assert rows(listing, "split", "label") == [("train", "cat"), ("test", "dog"), ("val", "cat")]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    listing = read_listing(Source(fill(tmp_path, "train/1.png", "bus/2.png", "car/3.png")))
    assert rows(listing, "label") == [("bus",), ("car",), ("train",)]


def test_pictures_beside_the_splits_are_findings(tmp_path: Path) -> None:
    listing = read_listing(Source(fill(tmp_path, "train/cat/1.png", "test/2.png", "Meta/3.png")))
    assert rows(listing, "split", "label") == [("test", None), ("train", "cat")]
    assert kinds(listing) == {"no-split": 1}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_with_any_delimiter(tmp_path: Path, separator: str) -> None:
    fill(tmp_path, "pics/1.png", "pics/2.png", "pics/extra.png")
    lines = [["File_Name", "species", "camera", "weight"], ["pics/1.png", "cat", "07", "1.5"],
             ["pics/2.png", "", "12", ""], ["pics/gone.png", "cat", "1", "2"]]  # fmt: skip
    (tmp_path / "list.csv").write_text("\n".join(separator.join(line) for line in lines))
    listing = read_listing(Source(tmp_path))
    assert listing.form == "csv"
    assert rows(listing, "path", "label", "camera", "weight") == [
        ("pics/1.png", "cat", 7, 1.5), ("pics/2.png", None, 12, None),
    ]  # fmt: skip
    assert kinds(listing) == {"missing": 1}
    assert listing.skipped == 2


def test_csv_names_without_folder_or_ending_are_found(tmp_path: Path) -> None:
    fill(tmp_path, "train/abc.jpg", "train/def.jpg")
    (tmp_path / "labels.csv").write_text("id,breed\nabc,beagle\ndef,poodle\nghi,boxer\n")
    listing = read_listing(Source(tmp_path / "labels.csv"))
    assert rows(listing, "path", "label") == [("train/abc.jpg", "beagle"), ("train/def.jpg", "poodle")]
    assert kinds(listing) == {"missing": 1}


def test_a_name_is_not_taken_for_its_namesake_in_another_folder(tmp_path: Path) -> None:
    fill(tmp_path, "data/cat/9.png", "data/cat/8.png")
    (tmp_path / "x.csv").write_text("path,label\ndog/9.png,dog\ncat/8,cat\n9,any\n")
    listing = read_listing(Source(tmp_path / "x.csv"))
    assert rows(listing, "path", "label") == [("data/cat/8.png", "cat"), ("data/cat/9.png", "any")]
    assert kinds(listing) == {"missing": 1}


def test_csv_from_old_spreadsheets_and_windows_paths(tmp_path: Path) -> None:
    fill(tmp_path, "pics/1.png")
    (tmp_path / "a.csv").write_bytes("path;label\r\npics\\1.png;Käfer\r\n".encode("latin-1"))
    assert rows(read_listing(Source(tmp_path / "a.csv")), "path", "label") == [("pics/1.png", "Käfer")]


def test_csv_with_several_labels_and_boxes(tmp_path: Path) -> None:
    fill(tmp_path, "1.png", "2.png")
    (tmp_path / "tags.csv").write_text("path,tags\n1.png,cat | dog\n2.png,\n")
    assert rows(read_listing(Source(tmp_path / "tags.csv")), "labels") == [(["cat", "dog"],), (None,)]
    (tmp_path / "boxes.csv").write_text(
        "image,xmin,ymin,xmax,ymax,class\n1.png,1,2,3,4,cat\n1.png,0,0,9,9,dog\n2.png,,,,,\n"
    )
    listing = read_listing(Source(tmp_path / "boxes.csv"))
    (first, second) = listing.frame.select("labels", "boxes").rows()
    assert first[0] == ["cat", "dog"]
    assert [tuple(box.values()) for box in first[1]] == [(1, 2, 3, 4, "cat"), (0, 0, 9, 9, "dog")]
    assert second[1] is None


def test_csv_paths_that_lead_out_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "secret.png", "data/a.png")
    (tmp_path / "data" / "link.png").symlink_to(tmp_path / "secret.png")
    listed = ["../secret.png", str(tmp_path / "secret.png"), "link.png", "a.png", "a.png", "./b/../a.png"]
    (tmp_path / "data" / "x.csv").write_text("path,label\n" + "".join(f"{name},x\n" for name in listed))
    listing = read_listing(Source(tmp_path / "data" / "x.csv"))
    assert rows(listing, "path") == [("a.png",)]
    assert kinds(listing) == {"link-out": 3, "listed-twice": 2}
    wider = read_listing(Source(tmp_path / "data" / "x.csv", root=tmp_path))
    assert ("secret.png",) in rows(wider, "path")


def test_two_lists_for_one_folder_must_be_chosen_from(tmp_path: Path) -> None:
    fill(tmp_path, "1.png")
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("path,label\n1.png,cat\n")
    with pytest.raises(BadInput, match=r"several lists of pictures \(a.csv, b.csv\); choose with --csv"):
        read_listing(Source(tmp_path))


def test_a_stray_csv_does_not_hide_class_folders(tmp_path: Path) -> None:
    fill(tmp_path, "cat/1.png")
    (tmp_path / "stats.csv").write_text("id,label\n1,2\n")
    assert read_listing(Source(tmp_path)).form == "folders"


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match=r"expected a column of paths, got a, b; name it with --path-column"):
        read_listing(Source(tmp_path / "x.csv"))
    with pytest.raises(BadInput, match=r"expected a column 'c', got a, b"):
        read_listing(Source(tmp_path / "x.csv", path_column="c"))


def test_parquet_keeps_the_users_columns(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png")
    frame = pl.DataFrame(
        {"file": ["a.png", "b.png", "c.png"], "category": [1, 2, 3], "width": ["?"] * 3, "note": list("xyz")}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    listing = read_listing(Source(tmp_path / "t.parquet"))
    assert rows(listing, "path", "label", "note") == [("a.png", "1", "x"), ("b.png", "2", "y")]
    assert "width" not in listing.frame.columns
    assert kinds(listing) == {"missing": 1}


@pytest.mark.parametrize(
    "place", ["annotations/instances_val2017.json", "val/_annotations.coco.json", "val.json"]
)
def test_coco(tmp_path: Path, place: str) -> None:
    fill(tmp_path, "val/a.png", "val/b.png")
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text(json.dumps(COCO))
    listing = read_listing(Source(tmp_path))
    assert listing.form == "coco"
    assert rows(listing, "path", "split", "labels", "labelled_for") == [
        ("val/a.png", "val", ["cat", "dog"], ["cat", "dog"]), ("val/b.png", "val", [], ["cat", "dog"]),
    ]  # fmt: skip
    assert [tuple(box.values()) for box in listing.frame["boxes"][0]] == [
        (1, 2, 4, 6, "cat"),
        (0, 0, 16, 12.5, "dog"),
    ]
    assert kinds(listing) == {"bad-box": 3, "crowd": 1, "missing": 1}


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"images": [], "annotations": 3, "categories": []}', '{"images": [{}]}']
)
def test_a_broken_coco_file_is_a_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BadInput, match=r"x\.json: is no (COCO file|JSON)"):
        read_listing(Source(tmp_path / "x.json"))


@pytest.mark.parametrize("layout", ["{side}/train/{name}", "train/{side}/{name}", "{side}/{name}"])
def test_yolo(tmp_path: Path, layout: str) -> None:
    def at(side: str, name: str) -> Path:
        return tmp_path / layout.format(side=side, name=name)

    fill(tmp_path, *(layout.format(side="images", name=name) for name in ("a.png", "b.png", "c.png")))
    at("labels", "a.txt").parent.mkdir(parents=True)
    at("labels", "a.txt").write_text("0 0.5 0.5 0.5 0.5\n1 0.25 0.5 0.5 1\n9 0 0 1 1\n1 nan 0 1 1\nx\n\n")
    at("labels", "b.txt").write_text("1 0 0 0.5 0 0.5 0.5 0 0.25\n")  # a polygon
    at("labels", "z.txt").write_text("")
    (tmp_path / "data.yaml").write_text("train: x\nnames: ['cat', \"dog\"]\nnc: 2\n")
    listing = read_listing(Source(tmp_path))
    assert listing.form == "yolo"
    boxes = [[tuple(box.values()) for box in each] for each in listing.frame["boxes"]]
    assert boxes == [[(4, 3, 12, 9, "cat"), (0, 0, 8, 12, "dog")], [(0, 0, 8, 6, "dog")], []]
    assert rows(listing, "labels") == [(["cat", "dog"],), (["dog"],), ([],)]
    assert ("split" in listing.frame.columns) == ("train" in layout)
    assert kinds(listing) == {"bad-box": 3, "missing": 1}


@pytest.mark.parametrize(
    "text",
    [
        "nc: 2\nnames: [a, 'b c']",
        "names:\n  0: a\n  1: 'b c'\nnc: 2",
        "names:\n- a\n- b c\n",
        "names: {0: a, 1: b c}",
    ],
)
def test_yolo_names_in_every_usual_form(text: str) -> None:
    assert names_of_yaml(text) == ["a", "b c"]


@given(st.text(max_size=60))
def test_yolo_text_never_fails(text: str) -> None:
    boxes, wrong = boxes_of(text, (10, 10), ["a"])
    assert len(boxes) + len(wrong) == sum(bool(line.strip()) for line in text.splitlines())


def test_masks(tmp_path: Path) -> None:
    fill(tmp_path, "train/images/a.jpg", "train/images/b.jpg", "train/masks/a_mask.png", "train/masks/c.png")
    listing = read_listing(Source(tmp_path))
    assert listing.form == "masks"
    assert rows(listing, "path", "split", "mask") == [
        ("train/images/a.jpg", "train", "train/masks/a_mask.png"), ("train/images/b.jpg", "train", None),
    ]  # fmt: skip
    assert kinds(listing) == {"missing": 1, "no-label": 1}


def test_the_form_can_be_named_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "images/a.jpg", "masks/a.png")
    assert rows(read_listing(Source(tmp_path), "folders"), "label") == [("images",), ("masks",)]
    with pytest.raises(BadInput, match="cannot be read as table; give a file"):
        read_listing(Source(tmp_path), "table")
    with pytest.raises(BadInput, match="does not exist"):
        read_listing(Source(tmp_path / "none"))
    with pytest.raises(BadInput, match=r"expected a folder, or a \.csv"):
        read_listing(Source(tmp_path / "images" / "a.jpg"))


@pytest.mark.parametrize("form", ["csv", "coco"])
def test_a_folder_without_the_named_form_is_a_clear_error(tmp_path: Path, form: str) -> None:
    with pytest.raises(BadInput, match=r"has no (CSV|COCO) file"):
        read_listing(Source(tmp_path), form)


@given(data=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=6))
def test_any_csv_is_a_listing_or_bad_input(
    tmp_path_factory: pytest.TempPathFactory, data: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    text = "path,label\n" + "\n".join(f"{path},{label}" for path, label in data)
    (folder / "x.csv").write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    with suppress(BadInput):
        assert read_listing(Source(folder / "x.csv")).frame.is_empty()
