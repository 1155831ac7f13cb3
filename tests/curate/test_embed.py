from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.curate.duplicates.pictures import photo

from okulo.core.errors import BadInput
from okulo.curate import embed
from okulo.curate.descriptor import LENGTH, describe, dhash, phash
from okulo.curate.embed import Embedded, Embedder, EmbedParams, descriptor_embedder, run
from okulo.io.images import decode, encode_jpeg, encode_png


def table_of(folder: Path, count: int) -> Path:
    frame = pl.DataFrame({"id": [f"{n}" for n in range(count)], "path": [f"{n}.png" for n in range(count)]})
    frame.with_columns(label=pl.lit("cat")).write_parquet(folder / "items.parquet")
    return folder / "items.parquet"


def numbering(stop_after: int | None = None, name: str = "numbering") -> Embedder:
    """Embeds file `n.png` as (n, 1); every tenth is unreadable; falls over after `stop_after` files."""

    def embed_files(files: Sequence[str]) -> Iterator[Embedded]:
        for done, file in enumerate(files):
            if done == stop_after:
                raise KeyboardInterrupt
            number = int(Path(file).stem)
            yield Embedded(None, "is broken") if number % 10 == 9 else Embedded(np.float32([number, 1]))

    return Embedder(name, 2, embed_files)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "CHUNK", 8)


def test_a_stopped_run_goes_on_and_ends_as_if_never_stopped(tmp_path: Path) -> None:
    table = table_of(tmp_path, 30)
    params = EmbedParams(items=table, model="m", output=tmp_path / "out" / "a.parquet")
    with pytest.raises(KeyboardInterrupt):
        run(params, numbering(stop_after=20))
    assert not params.output.exists()  # type: ignore[union-attr]
    report = run(params, numbering())
    assert (report.resumed, report.embedded, len(report.findings)) == (16, 27, 3)
    whole = EmbedParams(items=table, model="m", output=tmp_path / "out" / "b.parquet")
    assert run(whole, numbering()).resumed == 0
    made = pl.read_parquet(params.output)
    assert made.equals(pl.read_parquet(whole.output))
    assert made.schema["embedding"] == pl.Array(pl.Float32, 2)
    assert made["embedding"].is_null().to_numpy().nonzero()[0].tolist() == [9, 19, 29]
    assert made["embedding"][17].to_list() == [17, 1]
    assert made["path"][0] == str(tmp_path / "0.png")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["a.parquet", "b.parquet"]


def test_another_model_begins_anew(tmp_path: Path) -> None:
    params = EmbedParams(items=table_of(tmp_path, 30), model="m")
    with pytest.raises(KeyboardInterrupt):
        run(params, numbering(stop_after=20))
    assert run(params, numbering(name="other")).resumed == 0


def test_in_place_a_second_column_and_the_same_again(tmp_path: Path) -> None:
    table = table_of(tmp_path, 5)
    run(EmbedParams(items=table, model="m"), numbering())
    run(EmbedParams(items=table, model="m", column="second"), numbering())
    assert pl.read_parquet(table).columns == ["id", "path", "label", "embedding", "second"]
    with pytest.raises(BadInput, match="table: already has second; --replace"):
        run(EmbedParams(items=table, model="m", column="second"), numbering())
    run(EmbedParams(items=table, model="m", column="second", replace=True), numbering())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["items.parquet"]


def test_no_rows(tmp_path: Path) -> None:
    table = table_of(tmp_path, 0)
    assert run(EmbedParams(items=table, model="m"), numbering()).embedded == 0
    assert pl.read_parquet(table).schema["embedding"].inner == pl.Float32  # type: ignore[attr-defined]


def test_the_descriptor_needs_no_network(tmp_path: Path) -> None:
    table = table_of(tmp_path, 3)
    (tmp_path / "0.png").write_bytes(encode_png(photo()))
    (tmp_path / "1.png").write_bytes(b"no picture")
    report = run(EmbedParams(items=table, model="descriptor"), descriptor_embedder(2))
    made = pl.read_parquet(table)["embedding"]
    assert report.findings.frame["item"].to_list() == ["1.png", "2.png"]
    assert (made[0].to_numpy() == describe(photo())).all()
    assert made.null_count() == 2
    assert report.length == LENGTH


def test_descriptors_and_hashes_of_a_recompressed_picture_are_near() -> None:
    image, other = photo(), photo(seed=1)
    copy = decode(encode_jpeg(image, quality=30))
    assert describe(image) @ describe(copy) > 2.8
    assert describe(image) @ describe(other) < 2.3
    for hashed in (phash, dhash):
        assert (hashed(image) != hashed(copy)).sum() <= 6
        assert (hashed(image) != hashed(other)).sum() >= 12


def test_flat_and_tiny_pictures_have_finite_descriptors() -> None:
    for size in ((1, 1), (5, 300), (64, 64)):
        assert np.isfinite(describe(np.full((*size, 3), 255, np.uint8))).all()
