"""Which class is taken for which."""

import numpy as np
from jaxtyping import Int, Int64

from okulo.core.checks import check_same_length
from okulo.core.errors import BadInput


def confusion(
    truth: Int[np.ndarray, " n"], guess: Int[np.ndarray, " n"], *, classes: int
) -> Int64[np.ndarray, "k k"]:
    """Count how often truth i (row) was answered j (column); the diagonal is right.

    >>> confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), classes=3)
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 1, 0]])
    """
    check_same_length(truth=truth, guess=guess)
    for name, index in (("truth", truth), ("guess", guess)):
        if len(index) and not (index.min() >= 0 and index.max() < classes):
            outside = int(index.min()) if index.min() < 0 else int(index.max())
            raise BadInput(name, wanted=f"classes 0 to {classes - 1}", got=outside)
    cells = np.bincount(truth.astype(np.int64) * classes + guess, minlength=classes * classes)
    return cells.astype(np.int64).reshape(classes, classes)
