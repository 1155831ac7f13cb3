"""Which labels are wrong: confident learning, and a queue with the surest first.

The method is that of Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset
Labels" (arXiv 1911.00068), written anew from the paper. Where this differs:

- The paper prunes a set of items (section 3.2); here every item is ranked, since the mask misses nearly all
  errors that lie near the boundary of two classes.
- Items are ranked by a log ratio of the best other class to the given one (`doubt`), not by the normalised
  margin or self-confidence of section 3.2: near 0 and 1 a ratio tells apart what a difference cannot.
- How many labels are wrong is estimated from how *known* wrong labels score (`audit_estimate`), with the
  confident joint as the upper end: counting it alone takes what the model does not know for wrong labels.

Rows of `probabilities` must be out of fold: from a model that never saw the row's own label.
"""

import numpy as np
from jaxtyping import Float, Float64, Int64

SLACK = 1e-6
"""A probability this little below its class's threshold still counts (rounding)."""
FLOOR = 0.05
"""Hardly tells probabilities apart below this: an out-of-fold model cannot know them so well."""


def class_thresholds(
    probabilities: Float[np.ndarray, "n k"], given: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " k"]:
    """Mean probability of class j over the items that were given label j (equation 2 of the paper).

    A class nobody was given has the threshold infinity: nothing is counted as it.

    >>> p = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]])
    >>> class_thresholds(p, np.array([0, 0, 1])).round(2)
    array([0.8, 0.8])
    """
    k = probabilities.shape[1]
    own = probabilities[np.arange(len(given)), given].astype(np.float64)
    count = np.bincount(given, minlength=k)
    total = np.bincount(given, weights=own, minlength=k)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)


def confident_joint(
    probabilities: Float[np.ndarray, "n k"], given: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, "k k"]:
    """Joint distribution of given label (rows) and true label (columns), summing to 1.

    Counts of equation 1 (an item counts as the most probable of the classes whose threshold it reaches; with
    none it does not count), each row scaled to how often its label was given (equation 3).

    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05]])
    >>> confident_joint(p, np.array([0, 0, 1, 1, 1])).round(2)
    array([[0.4, 0. ],
           [0.2, 0.4]])
    """
    k = probabilities.shape[1]
    reached = probabilities >= class_thresholds(probabilities, given) - SLACK
    counted = reached.any(axis=1)
    taken = np.where(reached, probabilities, -1.0).argmax(axis=1)
    joint = np.zeros((k, k))
    np.add.at(joint, (given[counted], taken[counted]), 1.0)
    seen = np.bincount(given, minlength=k).astype(np.float64)
    empty = joint.sum(axis=1) == 0  # a label none of whose items counted: take it as right
    joint[empty, empty] = 1.0
    joint *= (seen / joint.sum(axis=1))[:, None]
    return np.asarray(joint / max(1.0, joint.sum()))


def best_other(
    probabilities: Float[np.ndarray, "n k"], given: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """The most probable class that is not the given one: what the label should be if it is wrong.

    >>> best_other(np.array([[0.6, 0.3, 0.1]]), np.array([0]))
    array([1])
    """
    others = probabilities.copy()
    others[np.arange(len(given)), given] = -1.0
    return np.asarray(others.argmax(axis=1))


def doubt(
    probabilities: Float[np.ndarray, "n k"], given: Int64[np.ndarray, " n"], *, floor: float = FLOOR
) -> Float64[np.ndarray, " n"]:
    """How much speaks against each given label; above 0 the model prefers another class.

    `log(best other + floor) - log(given + floor)`.

    >>> doubt(np.array([[0.99, 0.01], [0.5, 0.5], [0.01, 0.99]]), np.array([0, 0, 0])).round(1)
    array([-2.9,  0. ,  2.9])
    """
    rows = np.arange(len(given))
    own = probabilities[rows, given].astype(np.float64)
    other = probabilities[rows, best_other(probabilities, given)].astype(np.float64)
    return np.asarray(np.log(other + floor) - np.log(own + floor))
