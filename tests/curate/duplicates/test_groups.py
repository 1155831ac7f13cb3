import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okulo.algo.graphs import connected_components
from okulo.curate.duplicates.groups import make_groups
from okulo.curate.duplicates.threshold import choose_threshold

PAIRS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 100)).filter(lambda p: p[0] < p[1]),
    max_size=30,
    unique_by=lambda p: p[:2],
)


def arrays(links: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([link[:2] for link in links], np.int64).reshape(-1, 2)
    return pairs, np.array([link[2] / 100 for link in links], np.float32)


@given(PAIRS)
def test_strong_links_alone_give_connected_components(links: list[tuple[int, int, int]]) -> None:
    pairs, score = arrays(links)
    made = make_groups(10, pairs, score, 0.5, 0.5)
    assert (made.group == connected_components(10, pairs[score >= 0.5])).all()
    assert len(made.cut) == 0


@given(PAIRS)
def test_groups_lie_between_strong_and_all_links(links: list[tuple[int, int, int]]) -> None:
    pairs, score = arrays(links)
    made = make_groups(10, pairs, score, 0.5, 0.9)
    least = connected_components(10, pairs[score >= 0.9])
    most = connected_components(10, pairs[score >= 0.5])
    for i in range(10):
        for j in range(10):
            assert least[i] != least[j] or made.group[i] == made.group[j]
            assert made.group[i] != made.group[j] or most[i] == most[j]
    split = made.group[made.cut]
    assert (split[:, 0] != split[:, 1]).all()


def test_the_relation_is_not_transitive_the_groups_are() -> None:
    links = [(0, 1, 99), (0, 2, 99), (0, 3, 98), (1, 2, 3), (1, 3, 2), (2, 3, 1)]
    pairs, score = arrays(links)
    assert make_groups(4, pairs, score, 0.5, 0.97).group.tolist() == [0, 0, 0, 0]


def test_a_chain_of_weak_links_between_dense_groups_is_cut_and_told() -> None:
    links = [(i, j, 99) for i in range(3) for j in range(i + 1, 3)]
    links += [(i, j, 99) for i in range(3, 6) for j in range(i + 1, 6)]
    links += [(2, 3, 70), (1, 3, 5), (0, 3, 5), (2, 4, 5)]
    pairs, score = arrays(links)
    made = make_groups(6, pairs, score, 0.5, 0.97)
    assert made.group.tolist() == [0, 0, 0, 1, 1, 1]
    assert made.cut.tolist() == [[2, 3]]


def test_a_weak_link_between_two_single_pictures_is_enough() -> None:
    pairs, score = arrays([(0, 1, 70)])
    assert make_groups(2, pairs, score, 0.5, 0.97).group.tolist() == [0, 0]


def test_nothing_to_group() -> None:
    made = make_groups(0, np.zeros((0, 2), np.int64), np.zeros(0, np.float32), 0.5, 0.9)
    assert (made.group.tolist(), made.cut.tolist()) == ([], [])


def test_the_threshold_lies_in_the_valley() -> None:
    rng = np.random.default_rng(0)
    low = 1 / (1 + np.exp(-rng.normal(-5, 1.5, 5000)))
    high = 1 / (1 + np.exp(-rng.normal(5, 1, 500)))
    threshold, how = choose_threshold(np.concatenate([low, high]).astype(np.float32))
    assert 0.5 <= threshold <= 0.95
    assert "emptiest" in how
    assert np.mean(low > threshold) < 0.01
    assert np.mean(high < threshold) < 0.01


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_scores_of_one_kind_give_a_threshold_too(value: float) -> None:
    threshold, _ = choose_threshold(np.full(500, value, np.float32))
    assert 0.5 <= threshold <= 0.95
