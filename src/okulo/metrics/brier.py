"""Squared distance between the probabilities given and what came true."""

import numpy as np
from jaxtyping import Float, Int


def brier(truth: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n k"]) -> float:
    """Mean over rows of Σ (p − y)² over the classes, 0 to 2 (Brier 1950); nan without rows.

    (For two classes this is twice what scikit-learn's `brier_score_loss` gives by default.)

    >>> brier(np.array([0, 1]), np.array([[0.8, 0.2], [0.5, 0.5]])).__round__(3)
    0.29
    """
    if not len(truth):
        return float("nan")
    # Σ (p − y)² = Σ p² − 2 p_truth + 1: no one-hot matrix is made.
    squares = np.einsum("nk,nk->n", probabilities, probabilities, dtype=np.float64)
    own = probabilities[np.arange(len(truth)), truth]
    return float(np.mean(squares - 2.0 * own.astype(np.float64) + 1.0))
