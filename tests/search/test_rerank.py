"""Re-ranking against the published dense procedure; blocks, small sets and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okulo.core.errors import BadInput
from okulo.search import rerank
from okulo.search.exact import unit
from okulo.search.rerank import Reciprocal, best, distances, neighbours

from .dense_rerank import dense_rerank


def clustered(n: int, d: int = 24, clusters: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(clusters, d))
    return unit("made", middle[rng.integers(0, clusters, n)] + 0.5 * rng.normal(size=(n, d)))


def published(vectors: np.ndarray, queries: int, how: Reciprocal) -> np.ndarray:
    squared = np.maximum(2 - 2 * (vectors @ vectors.T), 0)
    return dense_rerank(np.sqrt(squared.astype(np.float64)), queries, how.k1, how.k2, how.share)


@pytest.mark.parametrize(
    "how", [Reciprocal(), Reciprocal(k1=7, k2=1, share=0.0), Reciprocal(k1=30, k2=12, share=0.8)]
)
def test_it_is_the_published_procedure(how: Reciprocal) -> None:
    vectors = clustered(400)
    ours = distances(vectors[:60], vectors[60:], how)
    np.testing.assert_allclose(ours, published(vectors, 60, how), atol=1e-6)


@settings(max_examples=15)
@given(st.integers(2, 40), st.integers(1, 30), st.integers(1, 8), st.integers(0, 1000))
def test_it_is_so_for_few_items_and_many_neighbours(n: int, k1: int, k2: int, seed: int) -> None:
    vectors = clustered(n, d=8, seed=seed)
    how = Reciprocal(k1=k1, k2=min(k2, n))
    ours = distances(vectors[:1], vectors[1:], how)
    np.testing.assert_allclose(ours, published(vectors, 1, how), atol=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = clustered(300)
    whole = distances(vectors[:50], vectors[50:])
    monkeypatch.setattr(rerank, "BLOCK_VALUES", 1000)
    found = best(vectors[:50], vectors[50:], 9)
    order = np.argsort(whole, axis=1, kind="stable")[:, :9]
    np.testing.assert_array_equal(found.row, order)
    np.testing.assert_allclose(found.score, 1 - np.take_along_axis(whole, order, 1), atol=1e-6)


def test_neighbours_are_a_sort() -> None:
    vectors = clustered(200)
    rows, least = neighbours(vectors, 11)
    product = vectors @ vectors.T
    np.testing.assert_array_equal(rows, np.argsort(-product, axis=1, kind="stable")[:, :11])
    np.testing.assert_array_equal(least, product.min(axis=1))


def test_it_mends_a_ranking() -> None:
    """A far member of the query's own cluster comes before a near one of another, on the whole."""
    vectors = clustered(600, d=16, clusters=10, seed=3)
    rng = np.random.default_rng(3)
    middle = rng.normal(size=(10, 16))
    label = rng.integers(0, 10, 600)
    vectors = unit("made", middle[label] + 1.1 * rng.normal(size=(600, 16)))
    plain = label[60:][np.argsort(-(vectors[:60] @ vectors[60:].T), axis=1)[:, :30]] == label[:60, None]
    after = label[60:][best(vectors[:60], vectors[60:], 30).row] == label[:60, None]
    assert after.mean() > plain.mean() + 0.02


def test_nothing_in_nothing_out() -> None:
    none = np.zeros((0, 4), np.float32)
    some = clustered(5, d=4)
    assert distances(none, some).shape == (0, 5)
    assert distances(some, none).shape == (5, 0)
    assert best(some, none, 3).row.shape == (5, 0)


def test_bad_input_is_said() -> None:
    some = clustered(5, d=4)
    with pytest.raises(BadInput, match="expected vectors of 4 values, got 8"):
        distances(some, clustered(5, d=8))
    with pytest.raises(BadInput, match="finite"):
        distances(some, np.full((3, 4), np.nan, np.float32))
    with pytest.raises(BadInput, match="k1 ≥ 1"):
        Reciprocal(k1=0)
