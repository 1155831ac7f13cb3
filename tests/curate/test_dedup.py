from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.curate.duplicates.pictures import drawings, photo

from okulo.core.errors import BadInput
from okulo.curate.dedup import DedupParams, run
from okulo.curate.duplicates.copies import KINDS
from okulo.curate.splits import assign_splits
from okulo.io.images import encode_png


def write_table(folder: Path, pictures: dict[str, np.ndarray | bytes], **columns: list[object]) -> Path:
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture if isinstance(picture, bytes) else encode_png(picture))
    contents = [(folder / name).read_bytes() for name in pictures]
    frame = pl.DataFrame({"id": [str(hash(data)) for data in contents], "path": list(pictures), **columns})
    frame.write_parquet(folder / "items.parquet")
    return folder / "items.parquet"


def grouped(table: Path, **choices: object) -> dict[str, int]:
    run(DedupParams(items=table, **choices))  # type: ignore[arg-type]
    made = pl.read_parquet(table)
    return dict(zip(made["path"], made["group"]))


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray | bytes]:
    """Six drawings, each with two copies of different kinds, one of them byte for byte."""
    rng = np.random.default_rng(4)
    kinds = ["rotate", "recompress", "underexpose", "resize", "crop", "turn"]
    made: dict[str, np.ndarray | bytes] = {}
    for number, (image, kind) in enumerate(zip(drawings(), kinds)):
        made[f"{number}.png"] = image
        made[f"{number}-{kind}.png"] = KINDS[kind](image, rng)
        made[f"{number}-bytes.png"] = encode_png(image)
    return made


def test_copies_are_grouped_and_one_of_each_is_kept(
    pictures: dict[str, np.ndarray | bytes], tmp_path: Path
) -> None:
    table = write_table(tmp_path, pictures)
    report = run(DedupParams(items=table))
    made = pl.read_parquet(table)
    assert made.schema["group"] == pl.Int64
    assert made.schema["group_size"] == pl.Int32
    truth = [name[0] for name in made["path"]]
    together = made.group_by("group").agg(pl.col("path").str.head(1).n_unique().alias("n"))
    assert together["n"].max() == 1
    assert report.groups == len(set(truth)) == 6
    assert report.same_bytes == 6
    assert report.copies == 12
    assert made["keep"].sum() == 6
    assert made.filter("keep")["path"].str.contains("resize").sum() == 0
    assert report.plot.stat().st_size > 5000
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_groups_hold_together_when_split(pictures: dict[str, np.ndarray | bytes], tmp_path: Path) -> None:
    table = write_table(tmp_path, pictures)
    grouped(table)
    frame = pl.read_parquet(table)
    split = assign_splits(frame, (0.5, 0.25, 0.25), np.random.default_rng(0))
    assert frame.with_columns(split).group_by("group").agg(pl.col("split").n_unique())["split"].max() == 1


def test_leakage_and_contradictory_labels_are_findings(tmp_path: Path) -> None:
    image, other = drawings()[0], drawings()[1]
    pictures = {"a.png": image, "b.png": (image * 0.6).astype(np.uint8), "c.png": other}
    table = write_table(tmp_path, pictures, split=["train", "test", "train"], label=["cat", "dog", "cat"])
    report = run(DedupParams(items=table, output=tmp_path / "out.parquet"))
    assert (report.leaking, report.contradictory) == (1, 1)
    assert report.findings.counts() == {"leakage": 2, "contradictory labels": 2}
    reasons = pl.read_parquet(report.findings_file)["reason"].to_list()
    assert "a copy of it is in another split: train: a.png; test: b.png" in reasons
    assert "a copy of it is labelled differently: cat: a.png; dog: b.png" in reasons


@pytest.mark.parametrize(
    ("prefer", "kept"), [("labelled", "small.png"), ("largest", "soft.png"), ("sharpest", "small.png")]
)
def test_which_one_is_kept(prefer: str, kept: str, tmp_path: Path) -> None:
    image = np.kron(drawings()[3], np.ones((2, 2, 1), np.uint8))
    soft = KINDS["blur"](image, np.random.default_rng(0))
    small = image[::2, ::2].copy()
    sizes = {"width": [soft.shape[1], small.shape[1]], "height": [soft.shape[0], small.shape[0]]}
    label = [None, "cat"] if prefer == "labelled" else [None, None]
    table = write_table(tmp_path, {"soft.png": soft, "small.png": small}, **sizes, label=label)
    frame = pl.read_parquet(table).with_columns(
        pl.col("width", "height").cast(pl.Int32), pl.col("label").cast(pl.String)
    )
    frame.write_parquet(table)
    run(DedupParams(items=table, prefer=prefer, threshold=0.3))
    assert pl.read_parquet(table).filter("keep")["path"].to_list() == [kept]


def test_equal_pixels_in_another_file_need_no_look(tmp_path: Path) -> None:
    from cv2 import IMWRITE_PNG_COMPRESSION, imencode

    flat = np.full((40, 40, 3), 77, np.uint8)
    other = bytes(imencode(".png", flat[:, :, ::-1], [IMWRITE_PNG_COMPRESSION, 0])[1])
    table = write_table(tmp_path, {"a.png": flat, "b.png": other})
    report = run(DedupParams(items=table))
    assert (report.same_bytes, report.same_pixels, report.pairs, report.copies) == (0, 1, 0, 1)


def test_mirrored_only_when_asked_for(tmp_path: Path) -> None:
    image = drawings()[4]
    table = write_table(tmp_path, {"a.png": image, "b.png": np.ascontiguousarray(image[:, ::-1])})
    assert len(set(grouped(table).values())) == 2
    assert len(set(grouped(table, mirrored=True, replace=True).values())) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_no_picture_and_one(count: int, tmp_path: Path) -> None:
    table = write_table(tmp_path, {"a.png": photo()})
    pl.read_parquet(table).head(count).write_parquet(table)
    report = run(DedupParams(items=table))
    assert (report.copies, report.groups, report.items) == (0, 0, count)
    assert pl.read_parquet(table).columns == ["id", "path", "group", "group_size", "keep"]


def test_all_identical(tmp_path: Path) -> None:
    table = write_table(tmp_path, {f"{n}.png": photo() for n in range(5)})
    report = run(DedupParams(items=table))
    assert (report.groups, report.copies, report.largest) == (1, 4, 5)


def test_deleted_and_broken_files_and_vectors_that_are_none(tmp_path: Path) -> None:
    pictures = {"a.png": drawings()[0], "b.png": drawings()[1], "c.png": b"broken", "d.png": drawings()[2]}
    vectors = np.random.default_rng(0).random((4, 3), dtype=np.float32)
    vectors[1] = np.nan
    table = write_table(tmp_path, pictures)
    column = pl.Series("embedding", vectors, dtype=pl.Array(pl.Float32, 3))
    pl.read_parquet(table).with_columns(column).write_parquet(table)
    (tmp_path / "d.png").unlink()
    report = run(DedupParams(items=table))
    assert report.vectors == "embedding"
    assert report.unreadable == 2
    assert report.findings.counts() == {"unreadable": 2, "no vector": 1}
    assert pl.read_parquet(table)["group"].n_unique() == 4
    assert pl.read_parquet(table)["keep"].all()


def test_what_cannot_be_used_is_said_before_any_work(tmp_path: Path) -> None:
    table = write_table(tmp_path, {"a.png": photo()}, keep=[True])
    with pytest.raises(BadInput, match="table: already has keep; --replace"):
        run(DedupParams(items=table))
    with pytest.raises(BadInput, match="has no column vec; `okulo embed --column vec` makes it"):
        run(DedupParams(items=table, column="vec", replace=True))
    with pytest.raises(BadInput, match=r"column path: expected vectors, Array\(Float32\), got String"):
        run(DedupParams(items=table, column="path", replace=True))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.png", "items.parquet"]


def test_vectors_of_several_lengths(tmp_path: Path) -> None:
    vectors = pl.Series("v", [[1.0], [1.0, 2.0]], dtype=pl.List(pl.Float32))
    table = write_table(tmp_path, {"a.png": photo(), "b.png": photo(seed=1)})
    pl.read_parquet(table).with_columns(vectors).write_parquet(table)
    with pytest.raises(BadInput, match="column v: its vectors differ in length"):
        run(DedupParams(items=table, column="v"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.png", "b.png", "items.parquet"]
