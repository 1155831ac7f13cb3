"""`okulo index`, `search` and `search-eval` on small pictures, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from okulo.core.errors import BadInput
from okulo.core.nouns import Detections
from okulo.io.images import encode_png
from okulo.metrics.retrieval import measure
from okulo.search.build import (
    IndexParams,
    RemoveParams,
    UpdateParams,
    run,
    run_remove,
    run_update,
)
from okulo.search.evaluate import SearchEvalParams
from okulo.search.evaluate import run as run_eval
from okulo.search.feedback import FOLDER, PAIRS, PairsParams, add_pair, keep_query, read_pairs, run_pairs
from okulo.search.find import SearchParams
from okulo.search.find import run as run_search
from okulo.search.index import open_index
from okulo.search.pictures import cut, main_object, object_box
from okulo.search.tune import TuneParams
from okulo.search.tune import run as run_tune

from .made import make_table, paint, see


def index_of(items: Path, **said: object) -> Path:
    output = items.parent / "a.index"
    run(IndexParams(items=items, model="descriptor", output=output, **said), see)  # type: ignore[arg-type]
    return output


def test_a_picture_finds_its_like(tmp_path: Path) -> None:
    index = index_of(make_table(tmp_path))
    (tmp_path / "new.png").write_bytes(encode_png(paint("green", 99)))
    report = run_search(SearchParams(index=index, pictures=(tmp_path / "new.png",), k=8), see)
    assert report.found["label"].to_list()[:3] == ["green"] * 3
    assert report.found["place"].to_list() == list(range(1, 9))
    only = run_search(
        SearchParams(index=index, pictures=(tmp_path / "new.png",), k=99, where="split = 'test'"), see
    )
    assert set(only.found["split"]) == {"test"}
    assert only.notes == ("the index holds 24 items, fewer than the 99 asked for",)


def test_the_tables_own_vectors_are_taken_if_they_are_the_models(tmp_path: Path) -> None:
    items = make_table(tmp_path)
    frame = pl.read_parquet(items)
    right = see().images([paint(label, i % 8) for i, label in enumerate(frame["label"])])
    frame.with_columns(embedding=pl.Series(right)).write_parquet(items)
    report = run(IndexParams(items=items, model="descriptor", output=tmp_path / "a.index"), see)
    assert (report.embedded, report.items) == (0, 24)
    frame.with_columns(embedding=pl.Series(right[::-1].copy())).write_parquet(items)
    with pytest.raises(BadInput, match="holds vectors of another model"):
        run(IndexParams(items=items, model="descriptor", output=tmp_path / "b.index"), see)
    frame.with_columns(embedding=pl.Series(right[:, :8].copy())).write_parquet(items)
    with pytest.raises(BadInput, match="expected vectors of 336 values"):
        run(IndexParams(items=items, model="descriptor", output=tmp_path / "b.index"), see)
    right[3] = np.nan
    frame.with_columns(embedding=pl.Series(right)).write_parquet(items)
    report = run(IndexParams(items=items, model="descriptor", output=tmp_path / "b.index"), see)
    assert (report.items, report.findings.counts()) == (23, {"no vector": 1})


def test_an_update_embeds_only_what_changed(tmp_path: Path) -> None:
    items = make_table(tmp_path)
    index = index_of(items)
    frame = pl.read_parquet(items)
    (tmp_path / "p/late.png").write_bytes(encode_png(paint("blue", 50)))
    (tmp_path / "p/red-0.png").write_bytes(encode_png(paint("green", 60)))
    late = pl.DataFrame({"id": ["late"], "path": ["p/late.png"], "label": ["blue"], "split": ["val"]})
    changed = pl.concat([frame.slice(0, 20), late]).with_columns(
        id=pl.when(pl.col("path") == "p/red-0.png").then(pl.lit("red0b")).otherwise("id"),
        label=pl.when(pl.col("path") == "p/red-1.png").then(pl.lit("crimson")).otherwise("label"),
    )
    changed.write_parquet(items)
    report = run_update(UpdateParams(index=index, items=items), see)
    assert (report.added, report.updated, report.removed, report.embedded, report.items) == (1, 1, 4, 2, 21)
    opened = open_index(index)
    assert opened.items["label"][opened.row_of("p/red-1.png")] == "crimson"
    again = run_update(UpdateParams(index=index, items=items), see)
    assert (again.added, again.updated, again.removed, again.embedded) == (0, 0, 0, 0)


def test_another_table_and_another_model_are_refused(tmp_path: Path) -> None:
    index = index_of(make_table(tmp_path))
    other = tmp_path / "other"
    table = make_table(other, each=2)
    with pytest.raises(BadInput, match="is another table: none of its paths"):
        run_update(UpdateParams(index=index, items=table), see)
    report = run_update(UpdateParams(index=index, items=table, keep=True), see)
    assert (report.added, report.items) == (6, 30)
    with pytest.raises(BadInput, match="was made with another model"):
        run_update(UpdateParams(index=index, items=tmp_path / "items.parquet", model="other"), see)
    with pytest.raises(BadInput, match="was made with another model"):
        run_search(SearchParams(index=index, pictures=(tmp_path / "p/red-0.png",), model="other"), see)


def test_deleted_and_broken_pictures(tmp_path: Path) -> None:
    items = make_table(tmp_path)
    (tmp_path / "p/red-0.png").unlink()
    (tmp_path / "p/red-1.png").write_bytes(b"no picture")
    report = run(IndexParams(items=items, model="descriptor", output=tmp_path / "a.index"), see)
    assert (report.items, len(report.findings)) == (22, 2)
    (tmp_path / "p/red-2.png").unlink()
    found = run_search(
        SearchParams(index=tmp_path / "a.index", pictures=(tmp_path / "p/red-3.png",), k=22), see
    )
    assert found.gone == 1
    for name, said in (("red-0.png", "cannot be read"), ("red-1.png", "no picture format")):
        with pytest.raises(BadInput, match=said):
            run_search(SearchParams(index=tmp_path / "a.index", pictures=(tmp_path / "p" / name,)), see)


def test_hostile_file_names(tmp_path: Path) -> None:
    items = make_table(tmp_path, each=2)
    names = ["p/'; drop--.png", 'p/a"b <b>&.png', "p/[bold]x.png", "p/new\nline.png"]
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(encode_png(paint("blue", 70 + i)))
    frame = pl.DataFrame(
        {
            "id": [str(i) for i in range(6)],
            "path": [*names, "p/nul\0.png", "../../etc/passwd"],
            "label": ["odd"] * 6,
        }
    )
    frame.write_parquet(items)
    report = run(IndexParams(items=items, model="descriptor", output=tmp_path / "a.index"), see)
    assert (report.items, len(report.findings)) == (4, 2)
    run_remove(RemoveParams(index=tmp_path / "a.index", where="path = 'p/''; drop--.png'"))
    assert len(open_index(tmp_path / "a.index")) == 3


def test_nothing_to_index(tmp_path: Path) -> None:
    items = make_table(tmp_path, each=1)
    pl.read_parquet(items).head(0).write_parquet(items)
    with pytest.raises(BadInput, match="has no item to search among"):
        index_of(items)
    assert not (tmp_path / "a.index").exists()
    with pytest.raises(BadInput, match="a condition that holds for some item"):
        run_remove(RemoveParams(index=index_of(make_table(tmp_path, each=1)), where="label = 'none'"))


def test_the_search_is_measured(tmp_path: Path) -> None:
    items = make_table(tmp_path)
    index = index_of(items, where="split = 'train'")
    said = SearchEvalParams(
        index=index, queries=items, where="split = 'test'", ways="all", output=tmp_path / "said.json"
    )
    report = run_eval(said, see, measure)
    assert (report.queries, report.base, report.distractors, len(report.copies)) == (6, 18, 0, 0)
    assert report.ways[0].figures["mAP"][0] > 0.7
    assert {way["name"] for way in json.loads((tmp_path / "said.json").read_text())["ways"]} >= {"rerank"}


def test_a_base_that_holds_queries_is_refused_and_copies_are_reported(tmp_path: Path) -> None:
    items = make_table(tmp_path)
    index = index_of(items)
    with pytest.raises(BadInput, match="holds 6 of the 6 queries themselves"):
        run_eval(SearchEvalParams(index=index, queries=items, where="split = 'test'"), see, measure)
    report = run_eval(
        SearchEvalParams(index=index, queries=items, where="split = 'test'", leave_out=True), see, measure
    )
    assert report.ways[0].figures["recall@1"][0] == pytest.approx(1 / 7, abs=1e-6)  # 1 of 7 others, if right
    assert len(report.copies) == 0
    frame = pl.read_parquet(items)
    (tmp_path / "q.png").write_bytes(encode_png(paint("red", 0)))
    copy = frame.head(1).with_columns(path=pl.lit("q.png"))
    copy.write_parquet(tmp_path / "q.parquet")
    report = run_eval(SearchEvalParams(index=index, queries=tmp_path / "q.parquet"), see, measure)
    assert report.copies.frame["reason"].to_list() == ["p/red-0.png has the same bytes"]
    copy.with_columns(id=pl.lit("else")).write_parquet(tmp_path / "q.parquet")
    report = run_eval(SearchEvalParams(index=index, queries=tmp_path / "q.parquet"), see, measure)
    assert report.copies.frame["reason"].to_list() == ["p/red-0.png looks the same"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"by": "nothing"}, "column nothing: is not in the queries"),
        ({"ways": "plain,best"}, "ways: expected some of plain, .* got best"),
        ({"where": "split = 'val'"}, "queries: expected at least one"),
    ],
)
def test_bad_measurements_are_said(said: dict[str, str], problem: str, tmp_path: Path) -> None:
    items = make_table(tmp_path, each=4)
    index = index_of(items, where="split = 'train'")
    given = {"where": "split = 'test'", **said}
    with pytest.raises(BadInput, match=problem):
        run_eval(SearchEvalParams(index=index, queries=items, **given), see, measure)  # type: ignore[arg-type]


def test_tuning_draws_every_setting(tmp_path: Path) -> None:
    index = index_of(make_table(tmp_path, each=50))
    report = run_tune(TuneParams(index=index, queries=20))
    assert {point.kind for point in report.points} == {"flat", "hnsw"}
    assert next(p for p in report.points if p.kind == "flat").recall == 1
    assert (index / "tune.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(BadInput, match="100 items or more"):
        run_tune(TuneParams(index=index_of(make_table(tmp_path / "few"))))


def test_the_main_object_is_cut_out() -> None:
    page = np.full((100, 200, 3), 240, np.uint8)
    page[30:60, 120:160] = (200, 30, 30)
    left, top, right, bottom = object_box(page)
    assert 105 <= left <= 120
    assert 160 <= right <= 175
    assert top <= 30
    assert bottom >= 60
    assert cut(page, "object").shape[1] < 75
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    assert cut(noise, "object").shape == (60, 60, 3)
    assert cut(page, "none") is page
    blank = np.full((1, 1, 3), 7, np.uint8)
    assert cut(blank, "object").shape == (1, 1, 3)


def test_a_detectors_box_is_cut_out() -> None:
    page = np.arange(100 * 100 * 3, dtype=np.uint8).reshape(100, 100, 3)
    boxes = np.float32([[0, 0, 10, 10], [20, 30, 60, 70], [0, 0, 100, 100]])
    found = Detections(boxes, np.float32([0.9, 0.8, 0.01]), np.int32([0, 1, 2]))
    np.testing.assert_array_equal(main_object(page, found), page[26:74, 16:64])
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))
    assert main_object(page, none) is page


def test_a_crop_that_is_none_is_refused(tmp_path: Path) -> None:
    from okulo.cli.see import see as see_here

    said = IndexParams(
        items=make_table(tmp_path), model="descriptor", output=tmp_path / "a.index", crop="objct"
    )
    with pytest.raises(
        BadInput, match="crop: expected one of none, object, attention, or a detector's model file"
    ):
        run(said, see_here)


def test_a_crop_finds_an_object_wherever_it_lies(tmp_path: Path) -> None:
    items = make_table(tmp_path)
    index = index_of(items, crop="object")
    page = np.full((200, 300, 3), 255, np.uint8)
    page[10:58, 240:288] = paint("red", 3)
    (tmp_path / "page.png").write_bytes(encode_png(page))
    report = run_search(SearchParams(index=index, pictures=(tmp_path / "page.png",), k=4), see)
    assert set(report.found["label"]) == {"red"}


def test_a_query_may_be_cut_where_the_base_is_clean(tmp_path: Path) -> None:
    items = make_table(tmp_path)
    index = index_of(items)
    page = np.full((120, 160, 3), 255, np.uint8)
    page[10:58, 100:148] = paint("red", 3)
    (tmp_path / "page.png").write_bytes(encode_png(page))

    def best(crop: str) -> float:
        said = SearchParams(index=index, pictures=(tmp_path / "page.png",), k=4, crop=crop)
        return float(run_search(said, see).found["score"][0])

    assert best("object") > best("none") + 0.05
    assert best("") == best("none")


def test_attention_needs_a_network(tmp_path: Path) -> None:
    from okulo.cli.see import see as see_here

    with pytest.raises(BadInput, match="attention needs a network"):
        see_here("descriptor", "attention")


def test_feedback_becomes_pictures_to_learn_from(tmp_path: Path) -> None:
    index = index_of(make_table(tmp_path))
    asked = keep_query(index, "abc", encode_png(paint("red", 42)))
    for path, relevant in (("p/red-0.png", True), ("p/red-1.png", True), ("p/blue-0.png", False)):
        add_pair(index, asked, path, relevant, "ann")
    add_pair(index, asked, "p/red-2.png", True)
    add_pair(index, asked, "p/red-2.png", None)  # taken back
    add_pair(index, "p/green-0.png", "p/green-1.png", True)
    with (index / FOLDER / PAIRS).open("ab") as opened:
        opened.write(b'{"time": "half a li')  # a writer that was killed
    add_pair(index, "p/green-0.png", "p/green-2.png", True)
    assert len(read_pairs(index)) == 5
    report = run_pairs(PairsParams(index=index, output=tmp_path / "pairs.parquet"))
    assert (report.relevant, report.not_relevant, report.pictures, report.labels) == (4, 1, 6, 2)
    table = pl.read_parquet(tmp_path / "pairs.parquet")
    assert all((tmp_path / path).is_file() for path in table["path"])
    assert table.filter(pl.col("path").str.contains("green"))["label"].n_unique() == 1
