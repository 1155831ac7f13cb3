"""How far a measured figure may be from the true one."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from jaxtyping import Int64


def wilson(hits: int, total: int, *, level: float = 0.95) -> tuple[float, float]:
    """Two-sided interval of a share (Wilson 1927, score interval without continuity correction).

    Unlike the textbook ± it stays within 0 to 1 and is right near the ends. No row: (0, 1).

    >>> low, high = wilson(9, 10)
    >>> round(low, 3), round(high, 3)
    (0.596, 0.982)
    """
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    # The ends are exact; rounding would leave 1e-17 there.
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == total else middle + half
    return low, high


def upper_bound(hits: int, total: int, *, level: float = 0.95) -> float:
    """One-sided upper bound of a share, exact (Clopper and Pearson 1934): it errs on the safe side.

    No hit in 59 rows is the least that shows a share below 5 %:

    >>> round(upper_bound(0, 59), 4), round(upper_bound(0, 58), 4)
    (0.0495, 0.0503)
    """
    from scipy.special import betaincinv  # here, because importing scipy costs

    if hits >= total:
        return 1.0
    return float(betaincinv(hits + 1, total - hits, level))


def bootstrap(
    statistic: Callable[[Int64[np.ndarray, " n"]], float],
    n: int,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    repeats: int = 200,
) -> tuple[float, float]:
    """Percentile interval of any figure (Efron 1979): `statistic` is given the rows of each resample.

    Resamples for which the figure is undefined (nan) are left out; all undefined gives (nan, nan).

    >>> right = np.arange(100) < 90
    >>> bootstrap(lambda rows: float(right[rows].mean()), 100, rng=np.random.default_rng(0))
    (0.84, 0.96)
    """
    values = np.array([statistic(rng.integers(0, n, n)) for _ in range(repeats)] if n else [np.nan])
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
