"""The map and the neighbours of the review page."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from okulo.core.errors import BadInput
from okulo.web.review import vectors as vectors_module
from okulo.web.review.vectors import NOWHERE, Vectors, on_square, project


def test_the_map_is_that_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    rows = np.random.default_rng(1).normal(size=(500, 12)).astype(np.float32) * np.arange(
        1, 13, dtype=np.float32
    )
    theirs = PCA(2).fit_transform(rows)
    ours = project(rows)
    for axis in (0, 1):
        assert abs(np.corrcoef(ours[:, axis], theirs[:, axis])[0, 1]) == pytest.approx(1, abs=1e-5)


def test_items_without_a_vector_are_nowhere_and_nobodys_neighbour(tmp_path: Path) -> None:
    rows = np.float32([[1, 0], [2, 0.1], [np.nan, 1], [0, 1], [0, 0], [np.inf, 0]])
    column = pl.Series([*rows.tolist(), None], dtype=pl.Array(pl.Float32, 2))
    pl.DataFrame({"embedding": column}).write_parquet(tmp_path / "t.parquet")
    vectors = Vectors(tmp_path / "t.parquet")
    placed = vectors.map()
    assert (placed[[2, 5, 6]] == NOWHERE).all() and (placed[[0, 1, 3, 4]] < NOWHERE).all()
    index, cosine = vectors.nearest(0, 10)
    assert index.tolist() == [1, 3] and cosine == pytest.approx([2 / np.hypot(2, 0.1), 0], abs=1e-6)
    for row in (2, 4, 6):
        with pytest.raises(BadInput, match="has no vector"):
            vectors.nearest(row, 3)
    with pytest.raises(BadInput, match="expected one of pca"):
        vectors.map("tsne")


def test_neighbours_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    rows = np.random.default_rng(2).normal(size=(300, 8)).astype(np.float32)
    column = pl.Series(list(rows), dtype=pl.List(pl.Float32))  # as some readers write it
    pl.DataFrame({"embedding": column}).write_parquet(tmp_path / "t.parquet")
    index, _ = Vectors(tmp_path / "t.parquet").nearest(7, 20)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    said = sorted((i for i in range(300) if i != 7), key=lambda i: -float(unit[i] @ unit[7]))
    assert index.tolist() == said[:20]


def test_vectors_that_are_none_are_clear_errors(tmp_path: Path) -> None:
    for name, column, message in [
        ("a", pl.Series([[1.0], [1.0, 2.0]], dtype=pl.List(pl.Float32)), "one length"),
        ("b", pl.Series([None, None], dtype=pl.Array(pl.Float32, 2)), "finite vectors"),
    ]:
        pl.DataFrame({"embedding": column}).write_parquet(tmp_path / f"{name}.parquet")
        with pytest.raises(BadInput, match=message):
            Vectors(tmp_path / f"{name}.parquet").map()
    assert on_square(np.zeros((3, 2), np.float32)).max() <= NOWHERE - 1


def test_umap_is_offered_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    class Umap:
        def __init__(self, **options: Any) -> None:
            assert options["n_components"] == 2

        def fit_transform(self, rows: np.ndarray) -> np.ndarray:
            return rows[:, :2] * 2

    monkeypatch.setattr(vectors_module.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=Umap))
    rows = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    pl.DataFrame({"embedding": pl.Series(rows)}).write_parquet(tmp_path / "t.parquet")
    vectors = Vectors(tmp_path / "t.parquet")
    assert vectors.methods == ("pca", "umap")
    assert (vectors.map("umap") == on_square(rows[:, :2] * 2)).all()
