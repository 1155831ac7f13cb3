"""Shapes on photos: the boxes that are said are where the shapes are, and nothing is in two splits."""

import json
from pathlib import Path

import numpy as np
import pytest

from okulo.core.errors import BadInput
from okulo.io.shapes import OUTLINES, draw_shapes, read_photos, share_out, write_shapes

GREY = np.full((120, 160, 3), 128, np.uint8)


def test_a_box_ends_where_its_shape_ends() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        scene = draw_shapes(GREY, 128, rng, most=1)
        (box,) = scene.boxes
        changed = np.abs(scene.image.astype(int) - 128).max(axis=2) > 60
        if changed.sum() < 50:  # nearly the colour of the photo, or noisy
            continue
        rows, columns = np.flatnonzero(changed.sum(axis=1) > 1), np.flatnonzero(changed.sum(axis=0) > 1)
        found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        said = np.array([box[side] for side in ("x0", "y0", "x1", "y1")], float)
        assert (np.abs(found - said) <= 4).all(), (box, found)
        seen.add(box["label"])
    assert len(seen) >= 5


def test_the_set_is_one_that_scan_reads_whole(tmp_path: Path) -> None:
    from okulo.io.readers.coco import read

    photos = [GREY + np.uint8(k) for k in range(3)]
    files, size = write_shapes(tmp_path / "a", photos, count=20, side=48, seed=3)
    assert files == 20 + 3 and size == sum(f.stat().st_size for f in (tmp_path / "a").rglob("*.jpg"))
    listing = read(tmp_path / "a")
    assert listing.frame["split"].value_counts().sort("count")["count"].to_list() == [3, 3, 14]
    assert not len(listing.findings)
    boxes = [box for each in listing.frame["boxes"] for box in each]
    assert {box["label"] for box in boxes} <= set(OUTLINES)
    assert all(0 <= box["x0"] < box["x1"] <= 48.01 for box in boxes)
    write_shapes(tmp_path / "b", photos, count=20, side=48, seed=3)
    names = [f"annotations/instances_{split}.json" for split in ("train", "val", "test")]
    assert all((tmp_path / "a" / n).read_text() == (tmp_path / "b" / n).read_text() for n in names)
    assert len(json.loads((tmp_path / "a" / names[0]).read_text())["categories"]) == len(OUTLINES)


def test_many_photos_are_shared_out_whole() -> None:
    photos = [np.full((40, 40, 3), k, np.uint8) for k in range(20)]
    parts = share_out(photos, np.random.default_rng(0))
    levels = {split: {int(each[0, 0, 0]) for each in some} for split, some in parts.items()}
    assert [len(levels[split]) for split in ("train", "val", "test")] == [14, 3, 3]
    assert not levels["train"] & levels["test"] and not levels["train"] & levels["val"]


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no")
    with pytest.raises(BadInput, match="expected photos"):
        read_photos(tmp_path)
    assert len(read_photos(None)) == 2


def test_the_sample_is_drawn_whole_or_not_at_all(tmp_path: Path) -> None:
    from okulo.io.samples import SampleParams, run

    report = run(SampleParams(name="shapes", folder=tmp_path / "s", pictures=10, side=32))
    assert (report.files, sorted(p.name for p in (tmp_path / "s").iterdir())) == (
        13,
        ["annotations", "test", "train", "val"],
    )
    with pytest.raises(BadInput, match="expected photos"):
        run(SampleParams(name="shapes", folder=tmp_path / "t", photos=tmp_path / "nothing"))
    assert not (tmp_path / "t").exists()
