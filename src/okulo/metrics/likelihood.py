"""How surprised the model is by the truth."""

import numpy as np
from jaxtyping import Float, Int

FLOOR = 1e-7
"""A probability below this counts as this: one float32 that was rounded to 0 would make the mean infinite."""


def negative_log_likelihood(
    truth: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n k"], *, floor: float = FLOOR
) -> float:
    """Mean of −ln p(truth), in nats (cross-entropy, log loss); nan without rows.

    >>> negative_log_likelihood(np.array([0, 1]), np.array([[0.5, 0.5], [0.75, 0.25]])).__round__(4)
    1.0397
    """
    if not len(truth):
        return float("nan")
    own = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.maximum(own, floor)).mean())
