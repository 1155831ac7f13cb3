"""The loops of k-reciprocal re-ranking, compiled. Rows of sets are padded; a count says how many are real."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np


def compiled(function: Callable[..., Any], parallel: bool = True) -> Callable[..., Any]:
    """Compile for all cores on first call; remembered on disk, or in memory where nothing can be written."""
    try:
        return numba.njit(nogil=True, cache=True, parallel=parallel)(function)
    except RuntimeError:  # numba found no place for its cache
        return numba.njit(nogil=True, parallel=parallel)(function)


def compiled_alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile for one core."""
    return compiled(function, parallel=False)


@compiled
def best_and_least(block, rows, values, least):  # type: ignore[no-untyped-def]  # compiled for its types
    """Largest values of each row of `block` (b, n), best first, of equals the first; and the row's least."""
    wanted = rows.shape[1]
    for i in numba.prange(block.shape[0]):
        held = 0
        low = np.inf
        for j in range(block.shape[1]):
            value = block[i, j]
            if value < low:
                low = value
            if held == wanted and value <= values[i, wanted - 1]:
                continue
            at = held if held < wanted else wanted - 1
            while at > 0 and values[i, at - 1] < value:
                values[i, at] = values[i, at - 1]
                rows[i, at] = rows[i, at - 1]
                at -= 1
            values[i, at] = value
            rows[i, at] = j
            if held < wanted:
                held += 1
        least[i] = low


@compiled
def reciprocal(near, many, out, count):  # type: ignore[no-untyped-def]
    """Of each row's first `many` neighbours, those that have the row among their own first `many`."""
    for i in numba.prange(near.shape[0]):
        found = 0
        for a in range(many):
            j = near[i, a]
            for b in range(many):
                if near[j, b] == i:
                    out[i, found] = j
                    found += 1
                    break
        count[i] = found


@compiled
def expand(wide, wide_count, narrow, narrow_count, out, count):  # type: ignore[no-untyped-def]
    """Join to each row's set the half-sized sets of its members that lie in it by more than two thirds."""
    for i in numba.prange(wide.shape[0]):
        own = wide_count[i]
        total = own
        for a in range(own):
            out[i, a] = wide[i, a]
        for a in range(own):
            j = wide[i, a]
            shared = 0
            for b in range(narrow_count[j]):
                for c in range(own):
                    if wide[i, c] == narrow[j, b]:
                        shared += 1
                        break
            if 3 * shared > 2 * narrow_count[j]:
                for b in range(narrow_count[j]):
                    new = True
                    for c in range(total):
                        if out[i, c] == narrow[j, b]:
                            new = False
                            break
                    if new:
                        out[i, total] = narrow[j, b]
                        total += 1
        count[i] = total


@compiled
def weigh(vectors, members, count, least, out):  # type: ignore[no-untyped-def]
    """exp(-distance) of each member, in parts of one; squared distance, the row's longest is 1."""
    for i in numba.prange(members.shape[0]):
        total = np.float32(0)
        longest = max(np.float32(2) - np.float32(2) * least[i], np.float32(1e-12))
        for a in range(count[i]):
            product = np.float32(0)
            other = members[i, a]
            for d in range(vectors.shape[1]):
                product += vectors[i, d] * vectors[other, d]
            value = np.exp(-max(np.float32(2) - np.float32(2) * product, np.float32(0)) / longest)
            out[i, a] = value
            total += value
        for a in range(count[i]):
            out[i, a] /= total


@compiled
def average(near, many, members, weights, count, starts, columns, values):  # type: ignore[no-untyped-def]
    """Mean of the weights of each row's first `many` neighbours, as rows of a sparse matrix at `starts`.

    With `columns` empty it only counts: `starts[i + 1]` becomes how many row i has.
    """
    n = near.shape[0]
    parts = 64
    for part in numba.prange(parts):
        total = np.zeros(n, np.float32)
        seen = np.zeros(n, np.uint8)
        touched = np.empty(many * members.shape[1], np.int64)
        for i in range(part * n // parts, (part + 1) * n // parts):
            found = 0
            for a in range(many):
                j = near[i, a]
                for b in range(count[j]):
                    column = members[j, b]
                    if not seen[column]:
                        seen[column] = 1
                        touched[found] = column
                        found += 1
                    total[column] += weights[j, b]
            if len(columns) == 0:
                starts[i + 1] = found
            for a in range(found):
                column = touched[a]
                if len(columns):
                    columns[starts[i] + a] = column
                    values[starts[i] + a] = total[column] / np.float32(many)
                total[column] = 0
                seen[column] = 0


@compiled_alone
def turn(starts, columns, values, first, column_starts, rows, turned):  # type: ignore[no-untyped-def]
    """The same sparse matrix by columns, rows from `first` on, which count from 0."""
    n = len(starts) - 1
    for at in range(starts[first], starts[n]):
        column_starts[columns[at] + 1] += 1
    for column in range(len(column_starts) - 1):
        column_starts[column + 1] += column_starts[column]
    place = column_starts.copy()
    for i in range(first, n):
        for at in range(starts[i], starts[i + 1]):
            column = columns[at]
            rows[place[column]] = i - first
            turned[place[column]] = values[at]
            place[column] += 1


@compiled
def jaccard(starts, columns, values, column_starts, rows, turned, first, share, out):  # type: ignore[no-untyped-def]
    """Mix into `out` (b, gallery; distances) the Jaccard distance of queries `first` and on, by `share`."""
    for i in numba.prange(out.shape[0]):
        common = np.zeros(out.shape[1], np.float32)
        for at in range(starts[first + i], starts[first + i + 1]):
            column = columns[at]
            for other in range(column_starts[column], column_starts[column + 1]):
                common[rows[other]] += min(values[at], turned[other])
        for j in range(out.shape[1]):
            apart = np.float32(1) - common[j] / (np.float32(2) - common[j])
            out[i, j] = apart * (np.float32(1) - share) + out[i, j] * share
