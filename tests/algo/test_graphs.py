import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components as scipy_components

from okulo.algo.graphs import connected_components
from okulo.core.errors import BadInput


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_the_same_components_as_scipy(pairs: list[tuple[int, int]]) -> None:
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    ours = connected_components(20, ends)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(20, 20))
    count, theirs = scipy_components(graph, directed=False)
    assert ours.max() + 1 == count
    assert len(set(zip(ours.tolist(), theirs.tolist()))) == count
    first = [ours.tolist().index(number) for number in range(count)]
    assert first == sorted(first)


def test_a_long_chain_in_the_worst_order() -> None:
    chain = np.stack([np.arange(9_999), np.arange(1, 10_000)], axis=1)[::-1].astype(np.int32)
    assert connected_components(10_000, chain).max() == 0


def test_no_nodes_and_no_pairs() -> None:
    assert connected_components(0, np.zeros((0, 2), np.int64)).tolist() == []
    assert connected_components(3, np.zeros((0, 2), np.int64)).tolist() == [0, 1, 2]


def test_a_node_that_is_none() -> None:
    with pytest.raises(BadInput, match="pairs: expected nodes 0 to 2, got 0 to 3"):
        connected_components(3, np.array([[0, 3]]))
