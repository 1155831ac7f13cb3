"""Query expansion, smoothing, feedback: against loops, and on data where they must help."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from okulo.core.errors import BadInput
from okulo.search import index as indexes
from okulo.search.exact import unit
from okulo.search.index import Index
from okulo.search.manifest import Manifest
from okulo.search.rank import EXPANSIONS, Ranking, by_feedback, search, widen
from okulo.search.settings import settle


def noisy(folder: Path, noise: float = 1.0) -> tuple[Index, np.ndarray, np.ndarray]:
    """An index of 20 clusters; queries, and for every query and item whether they are of one cluster."""
    rng = np.random.default_rng(0)
    middle = rng.normal(size=(20, 24))
    label = rng.integers(0, 20, 620)
    every = unit("made", middle[label] + noise * rng.normal(size=(620, 24)))
    frame = pl.DataFrame({"id": [str(i) for i in range(600)], "path": [f"{i}.png" for i in range(600)]})
    said = Manifest(settings=settle("flat", 600, 24), length=24, model="m")
    index = indexes.create(folder / "a.index", said, frame, every[20:])
    return index, every[:20], label[:20, None] == label[None, 20:]


def quality(index: Index, queries: np.ndarray, same: np.ndarray, ranking: Ranking) -> float:
    found = search(index, queries, 25, ranking)
    return float(np.take_along_axis(same, found.row, axis=1).mean())


@pytest.mark.parametrize("name", [each for each in EXPANSIONS if each != "none"])
def test_expansion_is_what_its_paper_says(name: str, tmp_path: Path) -> None:
    index, queries, _ = noisy(tmp_path)
    ranking = Ranking(expand=name, expand_by=4, rounds=2, alpha=3)
    base = index.vectors(np.arange(600))
    for i, query in enumerate(queries):
        wide = query
        for _ in range(2 if name == "recursive" else 1):
            cosine = base @ wide
            first = np.argsort(-cosine, kind="stable")[:4]
            total = query.astype(np.float64)
            for place, row in enumerate(first):
                weight = {"rank": 1 - place / 4, "alpha": max(cosine[row], 0) ** 3}.get(name, 1.0)
                total = total + weight * base[row]
            wide = (total / np.linalg.norm(total)).astype(np.float32)
        np.testing.assert_allclose(widen(index, queries, ranking, None)[i], wide, atol=1e-5)


@pytest.mark.parametrize(
    "ranking",
    [
        *(Ranking(expand=name) for name in EXPANSIONS if name != "none"),
        Ranking(smooth=5),
        Ranking(rerank=True),
    ],
)
def test_each_way_finds_more_of_a_noisy_cluster(ranking: Ranking, tmp_path: Path) -> None:
    index, queries, same = noisy(tmp_path)
    assert quality(index, queries, same, ranking) > quality(index, queries, same, Ranking()) + 0.02


def test_ways_keep_to_what_is_allowed(tmp_path: Path) -> None:
    index, queries, _ = noisy(tmp_path)
    allowed = np.arange(600) % 3 == 0
    for ranking in (Ranking(expand="alpha"), Ranking(smooth=3), Ranking(rerank=True)):
        assert allowed[search(index, queries, 9, ranking, allowed).row].all()


def test_fewer_items_than_asked_for(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": ["a", "b"], "path": ["a.png", "b.png"]})
    said = Manifest(settings=settle("flat", 2, 4), length=4, model="m")
    index = indexes.create(tmp_path / "a.index", said, frame, np.eye(4, dtype=np.float32)[:2])
    for ranking in (Ranking(), Ranking(expand="recursive"), Ranking(smooth=5), Ranking(rerank=True)):
        found = search(index, np.float32([[1, 0.1, 0, 0]]), 10, ranking)
        assert found.row[0].tolist() == [0, 1]


def test_feedback_moves_the_query() -> None:
    query, good, bad = np.float32([1, 0, 0]), np.float32([[0, 1, 0]]), np.float32([[0, 0, 1]])
    moved = by_feedback(query, good, bad)
    assert moved @ good[0] > 0.5
    assert moved @ bad[0] < -0.1
    none = np.zeros((0, 3), np.float32)
    np.testing.assert_allclose(by_feedback(query, none, none), query)


def test_bad_settings_are_said() -> None:
    with pytest.raises(BadInput, match="expand: expected one of none, average"):
        Ranking(expand="best")
    with pytest.raises(BadInput, match="depth: expected 1 or more"):
        Ranking(depth=0)
