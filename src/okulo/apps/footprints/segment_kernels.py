"""A ring of points cut into straight sides of known directions: exact dynamic programme, compiled.

The cost of a side is the sum of squared distances of its points from its line, plus `bend` times the sum of
squared sines between the outline's direction at each point and the side's, plus a price for being a side at
all. The direction tells a diagonal from a step whose points lie as near. The cheapest labelling is found
exactly (Jackson et al. 2005, "optimal partitioning"); a beginning that cannot win any more is dropped as in
PELT (Killick et al. 2012, arXiv 1101.1438). Along one side none can be told to lose, so beyond `MOST` of
them (sides of some 600 px) the unlikelier half goes, too: so the cost grows in proportion to the number of
points. Neighbouring sides never share a direction, except free ones.
"""

import math

import numba
import numpy as np

FAR = 1e300
HALF = 2
"""Points to each side of one whose chord is the outline's direction there."""
MOST = 192
"""So many beginnings wait at most; then the worse half of the older is dropped."""
RECENT = 32
"""Beginnings so new that nothing can be said of them yet: a hundred pixels."""
ASTRAY = 10.0
"""What a point costs that is said to lie on the picture's edge and does not."""


@numba.njit(nogil=True, cache=True, fastmath=True)
def running_sums(points, edge, bend):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Sums of 1, x, y, xx, xy, yy of the first k points, k = 0 to n, and how many lie on the picture's edge.

    To the moments xx, xy, yy those of the chord from `HALF` points before to `HALF` after are added, `bend`
    times: the scatter about a line then counts distances and directions in one. `bend` is in px², of rings
    only (0 for open runs).
    """
    n = len(points)
    sums = np.zeros((n + 1, 7), np.float64)
    weight = bend / (2 * HALF) ** 2
    for k in range(n):
        x, y = points[k, 0], points[k, 1]
        after, before = k + HALF, k - HALF
        after = after - n if after >= n else after
        before = before + n if before < 0 else before
        cx, cy = points[after, 0] - points[before, 0], points[after, 1] - points[before, 1]
        sums[k + 1, 0] = k + 1
        sums[k + 1, 1] = sums[k, 1] + x
        sums[k + 1, 2] = sums[k, 2] + y
        sums[k + 1, 3] = sums[k, 3] + x * x + weight * cx * cx
        sums[k + 1, 4] = sums[k, 4] + x * y + weight * cx * cy
        sums[k + 1, 5] = sums[k, 5] + y * y + weight * cy * cy
        sums[k + 1, 6] = sums[k, 6] + edge[k]
    return sums


@numba.njit(nogil=True, cache=True, fastmath=True)
def scatter(sums, i, j):  # type: ignore[no-untyped-def]
    """Central second moments (xx, xy, yy) of the points i to j-1."""
    m = 1.0 / (sums[j, 0] - sums[i, 0])
    sx, sy = sums[j, 1] - sums[i, 1], sums[j, 2] - sums[i, 2]
    xx = sums[j, 3] - sums[i, 3] - sx * sx * m
    xy = sums[j, 4] - sums[i, 4] - sx * sy * m
    yy = sums[j, 5] - sums[i, 5] - sy * sy * m
    return xx, xy, yy


@numba.njit(nogil=True, cache=True, fastmath=True)
def cut(sums, normals, prices, along):  # type: ignore[no-untyped-def]
    """Cut the points into sides: where each begins (a row of `sums`), its label, and the whole cost.

    `normals` (k, 2): the unit normal of each direction; label k is a free side. `prices` (k + 1): of each
    label's side. The labels from `along` to k - 1 are for points on the picture's edge.
    """
    n, k = len(sums) - 1, len(normals)
    labels = k + 1
    cost = np.full((n + 1, labels), FAR)  # the cheapest way to reach j with a side of this label
    other = np.full((n + 1, labels), FAR)  # the cheapest of those after which this label may follow
    origin = np.zeros((n + 1, labels), np.int32)
    before = np.full((n + 1, labels), -1, np.int32)
    other[0] = 0.0
    waiting = np.empty(n + 1, np.int32)
    tried = np.empty((n + 1, labels))
    count = 0
    forms = np.empty((k, 3))  # n·S·n of each direction, as factors of xx, xy, yy
    for label in range(k):
        nx, ny = normals[label, 0], normals[label, 1]
        forms[label, 0], forms[label, 1], forms[label, 2] = nx * nx, 2 * nx * ny, ny * ny
    for j in range(1, n + 1):
        waiting[count] = j - 1
        count += 1
        for c in range(count):
            i = waiting[c]
            xx, xy, yy = scatter(sums, i, j)
            value = tried[c]
            for label in range(k):
                off = forms[label, 0] * xx + forms[label, 1] * xy + forms[label, 2] * yy
                value[label] = other[i, label] + max(off, 0.0)
            half = 0.5 * (xx - yy)
            value[k] = other[i, k] + max(0.5 * (xx + yy) - math.sqrt(half * half + xy * xy), 0.0)
            if along < k:
                astray = sums[j, 0] - sums[i, 0] - (sums[j, 6] - sums[i, 6]) - 2
                for label in range(along, k):
                    value[label] += ASTRAY * max(0.0, astray)
            for label in range(labels):
                if value[label] + prices[label] < cost[j, label]:
                    cost[j, label] = value[label] + prices[label]
                    origin[j, label] = i
        allow_after(cost, other, before, j)
        count = drop(waiting, tried, other, count, j)
        if count > MOST:
            count = thin(waiting, tried, other, count, j)
    return walk_back(cost, origin, before, n)


@numba.njit(nogil=True, cache=True, fastmath=True)
def allow_after(cost, other, before, j):  # type: ignore[no-untyped-def]
    """For each label: the cheapest way to reach j after which it may follow; a free side follows any."""
    labels = cost.shape[1]
    one, two, at_one, at_two = FAR, FAR, -1, -1
    for label in range(labels):
        value = cost[j, label]
        if value < one:
            two, at_two = one, at_one
            one, at_one = value, label
        elif value < two:
            two, at_two = value, label
    for label in range(labels):
        own = label == at_one and label < labels - 1
        other[j, label] = two if own else one
        before[j, label] = at_two if own else at_one


@numba.njit(nogil=True, cache=True)
def drop(waiting, tried, other, count, j):  # type: ignore[no-untyped-def]
    """Forget beginnings from which no label can win any more: one that begins at j is no dearer."""
    kept = 0
    labels = tried.shape[1]
    for c in range(count):
        useful = False
        for label in range(labels):
            if tried[c, label] < other[j, label]:
                useful = True
                break
        if useful:
            waiting[kept] = waiting[c]
            tried[kept] = tried[c]
            kept += 1
    return kept


@numba.njit(nogil=True, cache=True)
def thin(waiting, tried, other, count, j):  # type: ignore[no-untyped-def]
    """Forget the worse half of all but the newest beginnings: by how much the best label is ahead of j."""
    old = 0
    while old < count and waiting[old] < j - RECENT:
        old += 1
    ahead = np.empty(old)
    for c in range(old):
        ahead[c] = (tried[c] - other[j]).min()
    limit = np.median(ahead)
    kept = 0
    for c in range(count):
        if c >= old or ahead[c] <= limit:
            waiting[kept] = waiting[c]
            kept += 1
    return kept


@numba.njit(nogil=True, cache=True)
def walk_back(cost, origin, before, n):  # type: ignore[no-untyped-def]
    """Read the sides off from the end; the last does not have the first one's direction if it can be
    helped."""
    starts = np.empty(n + 1, np.int32)
    labels = np.empty(n + 1, np.int32)
    label = 0
    for each in range(1, cost.shape[1]):
        if cost[n, each] < cost[n, label]:
            label = each
    total = cost[n, label]
    j, count = n, 0
    while j > 0:
        starts[count], labels[count] = origin[j, label], label
        count += 1
        j, label = starts[count - 1], before[starts[count - 1], label]
    return starts[:count][::-1].copy(), labels[:count][::-1].copy(), total
