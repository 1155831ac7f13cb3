"""Indexes: what is found, what changes, what a killed writer leaves, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.outside import needs

from okulo.core.errors import BadInput
from okulo.search import engines, manifest
from okulo.search import index as indexes
from okulo.search.engines import build
from okulo.search.exact import nearest, unit
from okulo.search.index import Index, open_index
from okulo.search.manifest import Manifest
from okulo.search.settings import KINDS, choose, settle

MODEL = "m" * 32


def vectors(n: int = 3000, d: int = 16, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(60, d))
    return unit("made", middle[rng.integers(0, 60, n)] + 0.35 * rng.normal(size=(n, d)))


def items(n: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": [f"i{i}" for i in range(n)], "path": [f"{i}.png" for i in range(n)],
         "split": [("train", "test")[i % 2] for i in range(n)]}
    )  # fmt: skip


def made(folder: Path, kind: str = "flat", n: int = 3000, store: str = "") -> Index:
    said = Manifest(settings=settle(kind, n, 16), length=16, model=MODEL, store=store)
    return indexes.create(folder / "a.index", said, items(n), vectors(n))


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), truth.tolist())]))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_finds_what_comparing_all_finds(kind: str, tmp_path: Path) -> None:
    index = open_index(made(tmp_path, kind).folder)
    queries = vectors(50, seed=1)
    truth = np.argsort(-(queries @ vectors().T), axis=1, kind="stable")[:, :10]
    found = index.nearest(queries, 10)
    assert recall(found.row, truth) >= (1.0 if kind == "flat" else 0.95)
    np.testing.assert_allclose(
        found.score, np.einsum("qd,qnd->qn", queries, index.vectors(found.row)), atol=1e-6
    )
    allowed = index.allowed("split = 'test'")
    half = index.nearest(queries, 10, allowed)
    of_half = nearest(queries, vectors(), 10, allowed).row
    assert (half.row % 2 == 1).all()
    assert recall(half.row, of_half) >= (1.0 if kind == "flat" else 0.9)
    few = np.zeros(3000, bool)
    few[[5, 700]] = True
    assert set(index.nearest(queries[:1], 2, few).row[0]) == {5, 700}


@pytest.mark.parametrize("kind", KINDS)
def test_add_update_remove_and_compact(kind: str, tmp_path: Path) -> None:
    check_changes(made(tmp_path, kind))


def check_changes(index: Index) -> None:
    """The same for every kind, and for Milvus."""
    folder, base = index.folder, vectors()
    indexes.remove(folder, ["0.png", "1.png"])
    index = open_index(folder)
    assert len(index) == 2998
    assert not {0, 1} & set(index.nearest(base[:2], 5).row.ravel().tolist())
    index = indexes.add(folder, pl.DataFrame({"id": ["new"], "path": ["0.png"]}), base[:1])
    index = open_index(folder)
    assert index.nearest(base[:1], 1).row.tolist() == [[3000]]
    assert index.items.row(3000) == ("new", "0.png", None)
    fresh = pl.DataFrame({"id": ["x"], "path": ["2.png"], "split": ["val"]})
    indexes.update(folder, ["2.png"], fresh, -base[2:3], pl.DataFrame({"path": ["3.png"], "split": ["val"]}))
    index = open_index(folder)
    assert index.nearest(-base[2:3], 1).row.tolist() == [[3001]]
    assert index.items["split"][3] == "val"
    rows = np.array([[3, 3001], [3000, 7]])
    wanted = np.stack([base[3], -base[2], base[0], base[7]]).reshape(2, 2, 16)
    np.testing.assert_allclose(index.vectors(rows), wanted, atol=1e-6)
    indexes.compact(folder)
    index = open_index(folder)
    assert len(index) == len(index.items) == 2999
    assert index.items["path"][int(index.nearest(-base[2:3], 1).row[0, 0])] == "2.png"


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_tail_goes_into_the_main_block(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "TAIL_ROWS", 50)
    folder = made(tmp_path, kind).folder
    more = vectors(100, seed=5)
    named = pl.DataFrame({"id": [f"n{i}" for i in range(100)], "path": [f"n{i}.png" for i in range(100)]})
    indexes.add(folder, named.head(40), more[:40])
    assert len(open_index(folder).tail) == 40
    indexes.add(folder, named.tail(60), more[40:])
    index = open_index(folder)
    assert (len(index.tail), len(index.engine)) == (0, 3100)
    assert index.nearest(more, 1).row[:, 0].tolist() == list(range(3000, 3100))


KILLED = """
import os, sys
from pathlib import Path
from okulo.search import index

count, plain = 0, Path.replace

def replace(self, target):
    global count
    count += 1
    if count > int(sys.argv[2]):
        os._exit(9)
    return plain(self, target)

Path.replace = replace
index.remove(Path(sys.argv[1]), ["5.png"])
"""
"""Takes one item out, and dies at the n-th file that would be renamed into its place."""


def test_a_killed_writer_leaves_the_index_as_it_was_or_as_it_should_be(tmp_path: Path) -> None:
    folder = made(tmp_path, n=300).folder
    for after in range(4):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(folder), str(after)], check=False, timeout=100
        )
        index = open_index(folder)
        assert len(index) == (299 if done.returncode == 0 else 300), after
        assert (index.nearest(vectors(300)[:20], 3).row >= 0).all()
    assert done.returncode == 0
    left = {path.name for path in folder.iterdir() if not path.name.startswith(".")} - {manifest.NAME}
    assert left == set(index.manifest.files.values())


def test_a_reader_sees_the_old_state_until_it_opens_the_new(tmp_path: Path) -> None:
    index = open_index(made(tmp_path, n=300).folder)
    indexes.compact(indexes.remove(index.folder, ["0.png"]).folder)
    assert index.nearest(vectors(300)[:1], 1).row.tolist() == [[0]]  # its files are gone, its mapping is not


def test_more_than_there_are_gives_all_there_are(tmp_path: Path) -> None:
    index = made(tmp_path, n=5)
    found = index.nearest(vectors(5)[:2], 50)
    assert found.row.shape == (2, 5)
    assert sorted(found.row[0].tolist()) == [0, 1, 2, 3, 4]


def test_an_empty_index_says_so(tmp_path: Path) -> None:
    folder = made(tmp_path, n=3).folder
    index = indexes.remove(folder, ["0.png", "1.png", "2.png"])
    with pytest.raises(BadInput, match="is empty: there is nothing to find"):
        index.nearest(vectors(1), 1)
    with pytest.raises(BadInput, match="is empty"):
        indexes.compact(folder)


@pytest.mark.parametrize(
    ("queries", "k", "said"),
    [
        (
            np.ones((1, 8), np.float32),
            1,
            "expected vectors of 16 values, got 8; was it made by another model",
        ),
        (np.full((1, 16), np.nan, np.float32), 1, "expected finite numbers, got nan in row 0"),
        (np.full((1, 16), np.inf, np.float32), 1, "expected finite numbers, got inf in row 0"),
        (np.zeros((1, 16), np.float32), 1, "row 0 is all zeros"),
        (np.ones((1, 16), np.float32), 0, "k: expected 1 or more, got 0"),
        (np.ones((1, 16), np.int64), 1, "expected rows of numbers"),
    ],
)
def test_bad_queries_are_said(queries: np.ndarray, k: int, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=said):
        made(tmp_path, n=20).nearest(queries, k)


def test_bad_items_change_nothing(tmp_path: Path) -> None:
    folder = made(tmp_path, n=20).folder
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir() if path.name != ".lock")
    one = pl.DataFrame({"id": ["n"], "path": ["n.png"]})
    for frame, block, said in (
        (one, np.full((1, 16), np.nan, np.float32), "finite"),
        (one, np.ones((1, 3), np.float32), "expected vectors of 16 values, got 3"),
        (one, np.ones((2, 16), np.float32), "expected 1, one an item, got 2"),
        (one.with_columns(path=pl.lit("3.png")), np.ones((1, 16), np.float32), "is in the index already"),
    ):
        with pytest.raises(BadInput, match=said):
            indexes.add(folder, frame, block)
    with pytest.raises(BadInput, match="is not in the index"):
        indexes.remove(folder, ["nobody.png"])
    after = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir() if path.name != ".lock")
    assert after == before


def test_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="was made with another model"):
        made(tmp_path, n=5).expect_model("x" * 32)


def test_what_is_no_index_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        open_index(tmp_path / "none")
    with pytest.raises(BadInput, match="is no index"):
        open_index(tmp_path)
    folder = made(tmp_path, n=5).folder
    (folder / "vectors-1.faiss").write_bytes(b"no vectors")
    with pytest.raises(BadInput, match="cannot be read"):
        open_index(folder)
    (folder / manifest.NAME).write_text('{"format": 99}')
    with pytest.raises(BadInput, match="format 1"):
        open_index(folder)
    (folder / manifest.NAME).write_text("[]")
    with pytest.raises(BadInput, match="cannot be read"):
        open_index(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    said = Manifest(settings=settle("flat", 5, 16), length=16, model=MODEL)
    with pytest.raises(BadInput, match="other things in it"):
        indexes.create(tmp_path / "other", said, items(5), vectors(5))


def test_codes_need_something_to_learn_from() -> None:
    with pytest.raises(BadInput, match="at least 1,000 vectors, got 100; --kind flat"):
        build(vectors(100), settle("ivfpq", 100, 16))


def test_the_kind_is_chosen_by_size_and_memory() -> None:
    assert choose(10_000, 512, 4).kind == "flat"
    assert choose(400_000, 512, 4).kind == "hnsw"
    assert choose(400_000, 512, 0.5).kind == "ivfpq"
    assert choose(100_000, 512, 0.1).kind == "ivfpq"
    assert "more than the 0.5 GB given" in choose(400_000, 512, 0.5).reason


@pytest.mark.slow
def test_milvus_does_the_same(tmp_path: Path) -> None:
    for module in ("milvus_lite", "pymilvus"):
        needs(module, "pip install 'okulo[milvus]'")
    store = f"milvus://{tmp_path}/v.db#marks"
    index = made(tmp_path, store=store)
    queries = vectors(20, seed=1)
    truth = np.argsort(-(queries @ vectors().T), axis=1, kind="stable")[:, :10]
    assert recall(index.nearest(queries, 10).row, truth) >= 0.95
    half = index.nearest(queries, 10, index.allowed("split = 'test'"))
    assert (half.row % 2 == 1).all()
    check_changes(index)
    with pytest.raises(BadInput, match="collection's name"):
        made(tmp_path, store=f"milvus://{tmp_path}/v.db#no-name!")
