"""Graphs as pairs of node numbers."""

import numpy as np
from jaxtyping import Int64, Integer

from okulo.algo.graph_kernels import component_roots
from okulo.core.errors import BadInput


def connected_components(count: int, pairs: Integer[np.ndarray, "p 2"]) -> Int64[np.ndarray, " n"]:
    """Number the components of an undirected graph of `count` nodes, in the order of their smallest node.

    Needs 16 bytes a node beside the pairs themselves.

    >>> connected_components(5, np.array([[3, 1], [1, 4]]))
    array([0, 1, 2, 1, 1])
    """
    if len(pairs) and not 0 <= int(pairs.min()) <= int(pairs.max()) < count:
        raise BadInput("pairs", wanted=f"nodes 0 to {count - 1}", got=f"{pairs.min()} to {pairs.max()}")
    roots: np.ndarray = component_roots(count, pairs[:, 0], pairs[:, 1])
    is_root = roots == np.arange(count)
    number: np.ndarray = (np.cumsum(is_root) - 1)[roots]
    return number.astype(np.int64)
