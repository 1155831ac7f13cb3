"""Features of a recording, compiled: one pass over the data, one thread a core.

Helpers write their features into `out` at places that `feature_list.FEATURES` names, in its order. Times are
in samples, and from the start of work, so that a recording that starts earlier or later has the same features
(but those that say when it started). NaN means: not defined for this recording.
"""

import math

import numpy as np
from numba import njit, prange

LAGS = 6
SAFE = {"reassoc", "contract", "arcp", "nsz"}  # sums may be regrouped; NaN and infinity keep their meaning
_LAG = np.arange(LAGS + 1)
WEIGHTS = 2 * (1 - _LAG / (LAGS + 1)) * np.cos(2 * np.pi * np.outer([1 / 16, 1 / 5, 1 / 2.4], _LAG))
AT_WORK = 0.3
"""Work is what lies above this share of the way from rest to work."""

LEAST = 8
"""With fewer values than this nothing can be said."""


@njit(cache=True)
def fill_gaps(values: np.ndarray, into: np.ndarray) -> tuple[int, int, int]:
    """Copy, replacing what is not finite by straight lines (at the ends: by the nearest value).

    Gives how many were missing, how many infinite, and the longest run of them.
    """
    n = len(values)
    missing = infinite = longest = 0
    last = -1
    for i in range(n):
        x = values[i]
        if math.isfinite(x):
            if last < i - 1:
                longest = max(longest, i - 1 - last)
                step = (x - into[last]) / (i - last) if last >= 0 else np.float32(0)
                for j in range(last + 1, i):
                    into[j] = x - step * (i - j)
            into[i] = x
            last = i
        else:
            missing += 1
            infinite += math.isinf(x)
    if last < n - 1:
        longest = max(longest, n - 1 - last)
        for j in range(last + 1, n):
            into[j] = into[last] if last >= 0 else np.float32(np.nan)
    return missing, infinite, longest


@njit(cache=True)
def sort_into(values: np.ndarray, n: int, into: np.ndarray) -> None:
    """Sort the first n values: Shell's sort with Ciura's gaps, quick on some tens of values."""
    for i in range(n):
        into[i] = values[i]
    for gap in (57, 23, 10, 4, 1):
        for i in range(gap, n):
            x = into[i]
            j = i
            while j >= gap and into[j - gap] > x:
                into[j] = into[j - gap]
                j -= gap
            into[j] = x


@njit(cache=True)
def quantile(ordered: np.ndarray, n: int, share: float) -> float:
    """The quantile between two sorted values, linear (Hyndman and Fan's type 7, numpy's default)."""
    at = share * (n - 1)
    low = int(at)
    high = min(low + 1, n - 1)
    return float(ordered[low] + (at - low) * (ordered[high] - ordered[low]))


@njit(cache=True)
def work_interval(x: np.ndarray, n: int, threshold: float) -> tuple[int, int]:
    """First and last sample above the threshold with a neighbour above it; (-1, -1) where there is none."""
    start = end = -1
    for i in range(n - 1):
        if x[i] > threshold and x[i + 1] > threshold:
            start = i
            break
    if start < 0:
        return -1, -1
    for i in range(n - 1, 0, -1):
        if x[i] > threshold and x[i - 1] > threshold:
            end = i
            break
    return start, end


@njit(cache=True)
def crossing(before: float, after: float, threshold: float) -> float:
    """How far between two samples, 0 to 1, a straight line reaches the threshold."""
    return (threshold - before) / (after - before) if after != before else 0.0


@njit(cache=True)
def peak_zone(x: np.ndarray, start: int, end: int, top: int, floor: float) -> tuple[int, int]:
    """The samples around a peak, from `start` to `end`, that stand above the floor without a break."""
    left = right = top
    while left > start and x[left - 1] > floor:
        left -= 1
    while right < end and x[right + 1] > floor:
        right += 1
    return left, right


@njit(cache=True)
def width_at(x: np.ndarray, n: int, top: int, height: float) -> tuple[float, float]:
    """How far left and right of a peak the curve falls below a height, between samples by straight lines."""
    i = top
    while i > 0 and x[i - 1] > height:
        i -= 1
    left = top - i + (crossing(x[i], x[i - 1], height) if i > 0 else 0.0)
    i = top
    while i < n - 1 and x[i + 1] > height:
        i += 1
    right = i - top + (crossing(x[i], x[i + 1], height) if i < n - 1 else 0.0)
    return left, right


@njit(cache=True)
def longest_same(x: np.ndarray, start: int, end: int, tolerance: float) -> int:
    """The longest run of values that differ from their neighbour by no more than the tolerance."""
    best = run = 1
    for i in range(start + 1, end):
        run = run + 1 if abs(x[i] - x[i - 1]) <= tolerance else 1
        best = max(best, run)
    return best


@njit(cache=True, fastmath=SAFE)
def plateau(
    x: np.ndarray, chosen: np.ndarray, count: int, residual: np.ndarray
) -> tuple[float, float, float]:
    """Mean, slope a sample and standard deviation about the line of the chosen samples; residuals written."""
    middle = mean = 0.0
    for k in range(count):
        middle += chosen[k]
        mean += x[chosen[k]]
    middle /= count
    mean /= count
    across = along = 0.0
    for k in range(count):
        t = chosen[k] - middle
        across += t * t
        along += t * (x[chosen[k]] - mean)
    slope = along / across if across > 0 else 0.0
    squares = 0.0
    for k in range(count):
        residual[k] = x[chosen[k]] - mean - slope * (chosen[k] - middle)
        squares += residual[k] * residual[k]
    return mean, slope, math.sqrt(squares / max(count - 2, 1))


@njit(cache=True, fastmath=SAFE)
def texture(residual: np.ndarray, count: int, covariance: np.ndarray, out: np.ndarray) -> None:
    """Autocorrelations, sign changes and three spectral bands of what is left beside the plateau's line.

    Bands: Blackman and Tukey's estimate, r₀ + 2 Σ wₖ rₖ cos(2πfk), k ≤ 6 with a Bartlett window, at periods
    of 16, 5 and 2.4 samples, as shares of the variance.
    """
    for lag in range(LAGS + 1):
        total = 0.0
        for k in range(count - lag):
            total += residual[k] * residual[k + lag]
        covariance[lag] = total
    signs = 0
    for k in range(1, count):
        signs += (residual[k] > 0) != (residual[k - 1] > 0)
    out[3] = signs / (count - 1)
    power = covariance[0]
    if power <= 0:
        return
    out[0] = covariance[1] / power
    out[1] = covariance[2] / power
    least = 1.0
    for lag in range(2, LAGS + 1):
        least = min(least, covariance[lag] / power)
    out[2] = least
    for band in range(3):
        total = 1.0
        for lag in range(1, LAGS + 1):
            total += WEIGHTS[band, lag] * covariance[lag] / power
        out[4 + band] = total


@njit(cache=True, fastmath=SAFE)
def levels(x: np.ndarray, n: int, lowest: float) -> tuple[float, float]:
    """Mean of the values at rest and at work: the two classes that an iterated threshold parts.

    After Ridler and Calvard 1978, but the threshold starts half way from the lowest value to the mean and
    then lies at 0.3 between the classes, so that a high peak is not parted from its plateau.
    """
    total = 0.0
    for i in range(n):
        total += x[i]
    threshold = lowest + 0.5 * (total / n - lowest)
    low = high = lowest
    for _ in range(2):
        above = 0.0
        count = 0
        for i in range(n):
            if x[i] > threshold:
                above += x[i]
                count += 1
        if count == 0 or count == n:
            return low, high
        high = above / count
        low = (total - above) / (n - count)
        threshold = low + AT_WORK * (high - low)
    return low, high


@njit(cache=True, fastmath=SAFE)
def describe(x: np.ndarray, n: int, ordered: np.ndarray, chosen: np.ndarray, out: np.ndarray) -> None:
    """All features of one recording without gaps but those of the gaps themselves."""
    lowest = highest = x[0]
    squares = steps = 0.0
    for i in range(1, n):
        lowest, highest = min(lowest, x[i]), max(highest, x[i])
        steps += abs(x[i] - x[i - 1])
    for i in range(n):
        squares += x[i] * x[i]
    out[3], out[4] = lowest, highest
    out[5], out[6] = squares / n, steps / (n - 1)
    base, high = levels(x, n, lowest)
    threshold = base + AT_WORK * (high - base)
    start, end = work_interval(x, n, threshold)
    if start < 0 or high <= base:
        out[9] = 0.0
        return
    begin = start - (crossing(x[start], x[start - 1], threshold) if start > 0 else 0.0)
    finish = end + (crossing(x[end], x[end + 1], threshold) if end < n - 1 else 0.0)
    out[7], out[8], out[9] = begin, n - 1 - finish, finish - begin
    work(x, n, start, end, begin, base, ordered, chosen, out)


@njit(cache=True)
def shape(x: np.ndarray, start: int, end: int, top: int, begin: float, level: float, out: np.ndarray) -> None:
    """Where the peak is, how wide and how steep: defined where there is a peak."""
    rise = x[top] - level
    before, after = width_at(x, end + 1, top, level + 0.5 * rise)
    out[0] = top - begin
    out[1] = before + after
    out[2] = width_at(x, end + 1, top, level + rise / math.e)[1]
    steepest = 0.0
    for i in range(max(start, 1), top + 1):
        steepest = max(steepest, x[i] - x[i - 1])
    out[3] = steepest / rise
    same = 1
    while top + same <= end and x[top + same] >= x[top] - 2e-4 * rise:
        same += 1
    out[4] = same


@njit(cache=True)
def pick_plateau(start: int, end: int, left: int, right: int, low: int, high: int, chosen: np.ndarray) -> int:
    """Choose the samples at work that are neither in the first peak nor in a second (-1: there is none)."""
    count = 0
    for i in range(start + 2, end - 1):
        if (left < 0 or i < left - 2 or i > right + 3) and (low < 0 or i < low - 2 or i > high + 3):
            chosen[count] = i
            count += 1
    return count


@njit(cache=True, fastmath=SAFE)
def work(
    x: np.ndarray,
    n: int,
    start: int,
    end: int,
    begin: float,
    base: float,
    ordered: np.ndarray,
    chosen: np.ndarray,
    out: np.ndarray,
) -> None:
    """Features of the interval in which the mechanism works: its peak, what comes beside it, the plateau."""
    top = start
    for i in range(start + 1, end + 1):
        if x[i] > x[top]:
            top = i
    long = end - start + 1
    sort_into(x[start:], long, ordered)
    level = quantile(ordered, long, 0.4)
    out[10], out[11], out[12] = quantile(ordered, long, 0.25), level, quantile(ordered, long, 0.75)
    rise = x[top] - level
    size = max(level - base, 1e-12)
    out[13] = x[top] - base
    out[14] = rise / size
    left, right = peak_zone(x, start, end, top, level + 0.15 * rise)
    if rise > 0.15 * size:
        shape(x, start, end, top, begin, level, out[15:20])
    second = -1
    for i in range(start + 1, end):
        if (i < left - 1 or i > right + 1) and (second < 0 or x[i] > x[second]):
            second = i
    low = high = -1
    if second >= 0:
        out[20] = (x[second] - level) / size
        if out[20] > 0.6:
            low, high = peak_zone(x, start, end, second, level + 0.15 * (x[second] - level))
    out[21] = longest_same(x, start, n, 2e-4 * size)
    tail = 0.0
    for i in range(max(n - 3, 0), n):
        tail += x[i]
    out[22] = (tail / min(3, n) - base) / size
    count = pick_plateau(start, end, left if rise > 0.15 * size else -1, right, low, high, chosen)
    if count < LEAST:
        out[23] = level - base
        return
    mean, slope, spread = plateau(x, chosen, count, ordered)
    out[23] = mean - base
    out[24] = slope * (chosen[count - 1] - chosen[0]) / size
    out[25] = spread / size
    jump = 0.0
    for k in range(count):
        jump = max(jump, abs(ordered[k]))
    out[26] = jump / size
    texture(ordered, count, ordered[count:], out[27:34])


@njit(parallel=True, cache=True)
def all_features(values: np.ndarray, offsets: np.ndarray, width: int) -> np.ndarray:
    """Features of every recording, float32 (n, width)."""
    n = len(offsets) - 1
    out = np.full((n, width), np.nan, np.float32)
    longest = 0
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    blocks = (n + 255) // 256
    for block in prange(blocks):
        filled = np.empty(longest + LAGS + 2, np.float32)
        ordered = np.empty(longest + LAGS + 2, np.float32)
        chosen = np.empty(longest + LAGS + 2, np.int64)
        for i in range(block * 256, min(block * 256 + 256, n)):
            row = values[offsets[i] : offsets[i + 1]]
            size = len(row)
            missing, _, gap = fill_gaps(row, filled)
            out[i, 0] = size
            out[i, 1] = missing / size if size else 1.0
            out[i, 2] = gap
            if size - missing >= LEAST:
                describe(filled, size, ordered, chosen, out[i])
    return out
