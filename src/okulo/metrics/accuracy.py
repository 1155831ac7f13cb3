"""Share of right answers: the first one, or one among the first few."""

import numpy as np
from jaxtyping import Float, Int, Int64

from okulo.core.checks import check_same_length


def accuracy(truth: Int[np.ndarray, " n"], guess: Int[np.ndarray, " n"]) -> float:
    """Share of answers that are right, 0 to 1; nan without rows.

    >>> accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0]))
    0.75
    """
    check_same_length(truth=truth, guess=guess)
    return float(np.mean(truth == guess)) if len(truth) else float("nan")


def rank_of_truth(
    truth: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n k"]
) -> Int64[np.ndarray, " n"]:
    """How many classes stand before the true one (0: it is the answer); of equals the lower index is first.

    >>> rank_of_truth(np.array([0, 1]), np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]))
    array([2, 1])
    """
    own = np.take_along_axis(probabilities, truth[:, None], axis=1)
    ahead: np.ndarray = (probabilities > own).sum(axis=1)
    # A second pass only where something ties, which is rare.
    tied = np.flatnonzero((probabilities == own).sum(axis=1) > 1)
    before = np.arange(probabilities.shape[1])[None, :] < truth[tied, None]
    ahead[tied] += ((probabilities[tied] == own[tied]) & before).sum(axis=1)
    return ahead.astype(np.int64)


def top_k_accuracy(truth: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n k"], *, k: int) -> float:
    """Share of rows whose true class is among the `k` most probable; nan without rows.

    Equal probabilities are ranked by index, so that `k=1` is the accuracy of `argmax`.

    >>> top_k_accuracy(np.array([0, 1]), np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]), k=2)
    0.5
    """
    if not len(truth):
        return float("nan")
    return float(np.mean(rank_of_truth(truth, probabilities) < k))
