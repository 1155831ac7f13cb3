"""From a ring of points to a regular ring: sides cut, directions fitted anew, lines crossed; compiled."""

import math

import numba
import numpy as np

from okulo.apps.footprints.segment_kernels import cut, running_sums, scatter

QUARTER = math.pi / 2
PER_MAIN = 4
"""Labels of a main direction: along it, across it, and the two diagonals."""
ALONG_X, ALONG_Y, FREE = 8, 9, 10
"""The picture's own directions, for sides that its edge cut off; then the free label."""
TURNS = (0.0, QUARTER, QUARTER / 2, -QUARTER / 2)


@numba.njit(nogil=True, cache=True)
def make_labels(mains, thetas, price, factors, touches, axes):  # type: ignore[no-untyped-def]  # compiled by numba
    """Unit normals, prices and numbers of the labels in use; the last is the free one, without a normal.

    `factors`: by how much a diagonal, the second main direction, and a free side are dearer. `axes` (2, 2):
    the normals of the picture's rows and columns.
    """
    count = mains * PER_MAIN + (2 if touches else 0)
    normals = np.zeros((count, 2))
    prices = np.full(count + 1, price)
    names = np.empty(count + 1, np.int32)
    for g in range(mains):
        for t in range(PER_MAIN):
            at = g * PER_MAIN + t
            normals[at, 0] = -math.sin(thetas[g] + TURNS[t])
            normals[at, 1] = math.cos(thetas[g] + TURNS[t])
            prices[at] *= (factors[0] if t >= 2 else 1.0) * (factors[1] if g else 1.0)
            names[at] = at
    if touches:
        normals[count - 2 :] = axes
        names[count - 2], names[count - 1] = ALONG_X, ALONG_Y
    prices[count] *= factors[2]
    names[count] = FREE
    return normals, prices, names


@numba.njit(nogil=True, cache=True)
def unit_normals(mains, thetas, axes):  # type: ignore[no-untyped-def]
    """Unit normals by label number."""
    normals = np.zeros((FREE, 2))
    for g in range(mains):
        for t in range(PER_MAIN):
            normals[g * PER_MAIN + t, 0] = -math.sin(thetas[g] + TURNS[t])
            normals[g * PER_MAIN + t, 1] = math.cos(thetas[g] + TURNS[t])
    normals[ALONG_X:] = axes
    return normals


@numba.njit(nogil=True, cache=True)
def trimmed(start, end, trim):  # type: ignore[no-untyped-def]
    """Leave out the points near the ends of a side, where noise has rounded the corner, if enough are
    left."""
    off = min(trim, max(0, (end - start - 4) // 2))
    return start + off, end - off


@numba.njit(nogil=True, cache=True)
def refit_angles(sums, starts, labels, mains, thetas, trim):  # type: ignore[no-untyped-def]
    """Fit each main direction anew to all sides that have it: principal axis of their turned scatters."""
    fitted = thetas.copy()
    n = len(sums) - 1
    for g in range(mains):
        a = b = 0.0  # of the scatter turned back: Σ(xx − yy), Σ2xy
        for s in range(len(starts)):
            if labels[s] // PER_MAIN != g:
                continue
            end = starts[s + 1] if s + 1 < len(starts) else n
            i, j = trimmed(starts[s], end, trim)
            xx, xy, yy = scatter(sums, i, j)
            double = -2 * TURNS[labels[s] % PER_MAIN]
            c, d = xx - yy, 2 * xy
            a += c * math.cos(double) - d * math.sin(double)
            b += c * math.sin(double) + d * math.cos(double)
        if a != 0 or b != 0:
            angle = 0.5 * math.atan2(b, a)
            turn = angle - thetas[g]
            turn -= math.pi * math.floor(turn / math.pi + 0.5)
            if abs(turn) < 0.2:
                fitted[g] = thetas[g] + turn
    return fitted


@numba.njit(nogil=True, cache=True)
def side_lines(sums, starts, labels, normals, trim):  # type: ignore[no-untyped-def]
    """Fit a line to each side: unit normal and offset, n·p = offset."""
    lines = np.empty((len(starts), 3))
    n = len(sums) - 1
    for s in range(len(starts)):
        end = starts[s + 1] if s + 1 < len(starts) else n
        i, j = trimmed(starts[s], end, trim)
        if labels[s] < FREE:
            nx, ny = normals[labels[s], 0], normals[labels[s], 1]
        else:
            xx, xy, yy = scatter(sums, i, j)
            angle = 0.5 * math.atan2(2 * xy, xx - yy)
            nx, ny = -math.sin(angle), math.cos(angle)
        lines[s, 0], lines[s, 1] = nx, ny
        lines[s, 2] = (nx * (sums[j, 1] - sums[i, 1]) + ny * (sums[j, 2] - sums[i, 2])) / (j - i)
    return lines


@numba.njit(nogil=True, cache=True)
def cross_lines(points, starts, lines):  # type: ignore[no-untyped-def]
    """Corners where neighbouring lines cross; where they are nearly parallel, a step across at the cut."""
    k = len(starts)
    n = len(points)
    out = np.empty((2 * k, 2))
    count = 0
    for s in range(k):
        p = s - 1 if s else k - 1
        a, b = lines[p], lines[s]
        det = a[0] * b[1] - a[1] * b[0]
        at, near = points[starts[s]], points[starts[s] - 1 if starts[s] else n - 1]
        x, y = 0.5 * (at[0] + near[0]), 0.5 * (at[1] + near[1])
        if abs(det) > 0.25:
            out[count, 0] = (a[2] * b[1] - b[2] * a[1]) / det
            out[count, 1] = (a[0] * b[2] - b[0] * a[2]) / det
            count += 1
        else:
            for line in (a, b):
                gap = line[2] - line[0] * x - line[1] * y
                out[count, 0], out[count, 1] = x + gap * line[0], y + gap * line[1]
                count += 1
    return out[:count]


@numba.njit(nogil=True, cache=True)
def farthest_corner(points):  # type: ignore[no-untyped-def]
    """Index of the point farthest from the middle: a corner of anything but a circle."""
    cx, cy = points[:, 0].mean(), points[:, 1].mean()
    best, at = -1.0, 0
    for k in range(len(points)):
        d = (points[k, 0] - cx) ** 2 + (points[k, 1] - cy) ** 2
        if d > best:
            best, at = d, k
    return at


@numba.njit(nogil=True, cache=True)
def rolled(values, start):  # type: ignore[no-untyped-def]
    """Begin the ring at `start`."""
    out = np.empty_like(values)
    n = len(values)
    out[: n - start] = values[start:]
    out[n - start :] = values[:start]
    return out


@numba.njit(nogil=True, cache=True)
def cut_ring(points, edge, mains, thetas, price, factors, bend, step, axes):  # type: ignore[no-untyped-def]
    """Cut a ring at every `step`th point: its running sums, where sides begin, their labels, and the cost.

    It begins at the point farthest from the middle, a corner. Where the answer's two ends are one side after
    all, it is asked again from a cut in its middle. Points and flags are turned round in place.
    """
    touches = edge.any()
    normals, prices, names = make_labels(mains, thetas, price, factors, touches, axes)
    along = len(names) - 3 if touches else len(names) - 1
    n = len(points)
    rows = np.append(np.arange(0, n - step // 2, step), n)
    for attempt in range(2):
        sums = running_sums(points, edge, bend)
        starts, labels, cost = cut(sums[rows], normals, prices, along)
        k = len(starts)
        starts = rows[starts]
        if attempt == 1 or k < 3 or labels[0] != labels[k - 1] or labels[0] == len(names) - 1:
            break
        middle = starts[k // 2]
        points[:], edge[:] = rolled(points, middle), rolled(edge, middle)
    paid = 0.0
    for s in range(len(starts)):
        paid += prices[labels[s]]
        labels[s] = names[labels[s]]
    return sums, starts, labels, cost, cost - paid


@numba.njit(nogil=True, cache=True)
def cross_open(points, starts, lines, reach):  # type: ignore[no-untyped-def]
    """Corners of an open run of sides; its two ends, on their lines, drawn out by `reach`."""
    k, n = len(starts), len(points)
    inner = cross_lines(points, starts, lines) if k > 1 else np.empty((0, 2))
    if k > 1:  # the first pair of lines given is last with first: it closes the ring that this is not
        det = lines[k - 1, 0] * lines[0, 1] - lines[k - 1, 1] * lines[0, 0]
        inner = inner[1:] if abs(det) > 0.25 else inner[2:]
    out = np.empty((len(inner) + 2, 2))
    out[1:-1] = inner
    for end in range(2):
        line, at = (lines[0], points[0]) if end == 0 else (lines[k - 1], points[n - 1])
        gap = line[2] - line[0] * at[0] - line[1] * at[1]
        x, y = at[0] + gap * line[0], at[1] + gap * line[1]
        row = 0 if end == 0 else len(out) - 1
        if len(inner):
            back = inner[0] if end == 0 else inner[-1]
        else:
            back = points[n - 1] if end == 0 else points[0]
        dx, dy = -line[1], line[0]
        if (x - back[0]) * dx + (y - back[1]) * dy < 0:
            dx, dy = -dx, -dy
        out[row, 0], out[row, 1] = x + reach * dx, y + reach * dy
    return out
