"""Marching squares along the contours, compiled: from crossing to crossing, what is inside on the right hand.

A cell (i, j) has the pixel centres (i, j), (i, j+1), (i+1, j+1), (i+1, j) as corners 0 to 3; its side k lies
between the corners k and k+1: top, right, bottom, left. Pixel (i, j) has its centre at x = j + ½, y = i + ½.
"""

import numba
import numpy as np

BLOCK = 64
"""Pixels of a row that are looked at together: most are all outside or all inside."""


@numba.njit(nogil=True, cache=True)
def value_at(values, i, j, level):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Give a pixel's value; beyond the picture one that lets the contour run along the picture's very
    edge."""
    h, w = values.shape
    if 0 <= i < h and 0 <= j < w:
        return float(values[i, j])
    near = float(values[min(max(i, 0), h - 1), min(max(j, 0), w - 1)])
    return 2 * level - near if near > level else near


@numba.njit(nogil=True, cache=True)
def corner_at(values, i, j, k, level):  # type: ignore[no-untyped-def]
    """Give the value at corner k (modulo 4) of cell (i, j)."""
    k &= 3
    return value_at(values, i + (k >> 1), j + ((k + 1) >> 1 & 1), level)


@numba.njit(nogil=True, cache=True)
def crossing(i, j, side, near, far, level):  # type: ignore[no-untyped-def]
    """Say where the level is crossed on a side of cell (i, j): between its corners `side` and `side` + 1."""
    t = 0.5 if far == near else min(1.0, max(0.0, (level - near) / (far - near)))
    if side == 0:
        return j + 0.5 + t, i + 0.5
    if side == 1:
        return j + 1.5, i + 0.5 + t
    if side == 2:
        return j + 1.5 - t, i + 1.5
    return j + 0.5, i + 1.5 - t


@numba.njit(nogil=True, cache=True)
def side_key(i, j, side, origin, width):  # type: ignore[no-untyped-def]
    """Number a side of a cell, the same from both cells it lies between and from every tile."""
    row = origin[0] + i + 1 + (1 if side == 2 else 0)
    column = origin[1] + j + 1 + (1 if side == 1 else 0)
    return (row * (width + 2) + column) * 2 + (side & 1)


@numba.njit(nogil=True, cache=True)
def follow(values, level, cells, i, j, side, points, count, seen):  # type: ignore[no-untyped-def]
    """Follow one contour from the `side` it enters cell (i, j) by, until it comes back there or leaves the
    tile.

    Gives how many points there are now, and the cell and side where it left; -1 points: there is no more
    room.
    """
    start_i, start_j, start_side = i, j, side
    right = corner_at(values, i, j, side, level)  # inside, and to the left of it outside
    left = corner_at(values, i, j, side + 1, level)
    while True:
        if count + 1 >= len(points):
            return -1, i, j, side
        points[count, 0], points[count, 1] = crossing(i, j, side, right, left, level)
        count += 1
        if side == 0 and i >= 0:
            seen[i, j] = 1
        far_left = corner_at(values, i, j, side + 2, level)
        far_right = corner_at(values, i, j, side + 3, level)
        if far_right > level:
            if far_left > level:
                turn, right = 1, far_left
            else:
                turn, right, left = 2, far_right, far_left
        elif far_left > level and right + left + far_left + far_right > 4 * level:
            turn, right = 1, far_left  # a saddle whose middle is inside joins the two
        else:
            turn, left = 3, far_right
        leave = (side + turn) & 3
        next_i, next_j = i + (leave == 2) - (leave == 0), j + (leave == 1) - (leave == 3)
        side = leave ^ 2
        if next_i == start_i and next_j == start_j and side == start_side:
            return count, i, j, leave
        if not (cells[0] <= next_i <= cells[1] and cells[2] <= next_j <= cells[3]):
            points[count, 0], points[count, 1] = crossing(next_i, next_j, side, right, left, level)
            return count + 1, i, j, leave
        i, j = next_i, next_j


@numba.njit(nogil=True, cache=True, fastmath=True)
def count_above(row, first, last, level):  # type: ignore[no-untyped-def]
    """How many of a row's pixels first to last-1 are above the level."""
    count = 0
    for j in range(first, last):
        count += row[j] > level
    return count


@numba.njit(nogil=True, cache=True)
def twice_area(points, start, end):  # type: ignore[no-untyped-def]
    """Shoelace sum of the ring points[start:end]: twice its area, negative if it runs the other way."""
    total = 0.0
    x0, y0 = points[start, 0], points[start, 1]
    for k in range(start + 1, end - 1):
        total += (points[k, 0] - x0) * (points[k + 1, 1] - y0) - (points[k + 1, 0] - x0) * (points[k, 1] - y0)
    return total


@numba.njit(nogil=True, cache=True)
def trace_tile(values, level, limit, sides, origin, width, smallest, points):  # type: ignore[no-untyped-def]
    """Trace all contours of a tile into `points` (x, y of the whole picture); say where each begins.

    `sides`: whether top, right, bottom, left of the tile are the picture's; the contour closes along them.
    Elsewhere it is cut: keys (start, end) say on which side of a cell, and are -1 for closed ones.
    `limit`: the level in the values' own type, rounded down. `smallest`: twice the area below which a closed
    contour is dropped: outer ones, holes. An empty answer: there was no room for all points.
    """
    h, w = values.shape
    cells = (
        -1 if sides[0] else 0,
        h - 1 if sides[2] else h - 2,
        -1 if sides[3] else 0,
        w - 1 if sides[1] else w - 2,
    )
    seen = np.zeros((h, w), np.uint8)
    offsets, keys = [0], [(-1, -1)]
    count = 0
    if not (sides[0] and sides[1] and sides[2] and sides[3]):
        for i, j, side in entries(values, level, cells, sides):
            count, last_i, last_j, leave = follow(values, level, cells, i, j, side, points, count, seen)
            if count < 0:
                return np.empty(0, np.int64), np.empty((0, 2), np.int64)
            offsets.append(count)
            keys.append((side_key(i, j, side, origin, width), side_key(last_i, last_j, leave, origin, width)))
    for i in range(max(0, cells[0]), min(h - 1, cells[1]) + 1):
        for j in row_ends(values[i], limit, min(w, cells[3] + 1)):
            if seen[i, j]:
                continue
            start = count
            count, _, _, _ = follow(values, level, cells, i, j, np.int64(0), points, count, seen)
            if count < 0:
                return np.empty(0, np.int64), np.empty((0, 2), np.int64)
            area = twice_area(points, start, count)
            if area >= smallest[0] or -area >= smallest[1]:
                offsets.append(count)
                keys.append((-1, -1))
            else:
                count = start
    for k in range(count):
        points[k, 0] += origin[1]
        points[k, 1] += origin[0]
    return np.array(offsets), np.array(keys)[1:]


@numba.njit(nogil=True, cache=True)
def row_ends(row, limit, end):  # type: ignore[no-untyped-def]
    """List the pixels before `end` that are inside while the next one is not."""
    w = len(row)
    found = np.empty(w, np.int32)
    count = 0
    before = False
    for first in range(0, w + 1, BLOCK):
        last = min(first + BLOCK, w)
        above = count_above(row, first, last, limit)
        if above == (last - first if before else 0) and last - first == BLOCK:
            continue
        for j in range(first, min(first + BLOCK, w + 1)):
            now = j < w and row[j] > limit
            if before and not now and j - 1 < end:
                found[count] = j - 1
                count += 1
            before = now
    return found[:count]


@numba.njit(nogil=True, cache=True)
def entries(values, level, cells, sides):  # type: ignore[no-untyped-def]
    """List the cells and sides by which contours come into a tile from its neighbours."""
    found = [(0, 0, 0)]
    for side in range(4):
        if sides[side]:
            continue
        along_row = side == 0 or side == 2
        low, high = (cells[2], cells[3]) if along_row else (cells[0], cells[1])
        for k in range(low, high + 1):
            i = (cells[0] if side == 0 else cells[1]) if along_row else k
            j = k if along_row else (cells[2] if side == 3 else cells[3])
            inside = corner_at(values, i, j, side, level) > level
            if inside and not corner_at(values, i, j, side + 1, level) > level:
                found.append((i, j, side))
    return found[1:]
