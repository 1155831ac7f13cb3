"""Rings of points, compiled: resampled, simple or not, one inside the other, how far two areas overlap."""

import math

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def perimeter_of(ring):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Length of the closed ring (n, 2)."""
    total = 0.0
    for k in range(len(ring)):
        m = k + 1 if k + 1 < len(ring) else 0
        total += math.sqrt((ring[m, 0] - ring[k, 0]) ** 2 + (ring[m, 1] - ring[k, 1]) ** 2)
    return total


@numba.njit(nogil=True, cache=True)
def area_of(ring):  # type: ignore[no-untyped-def]
    """Signed area by the shoelace sum: positive if it runs from x towards y."""
    total = 0.0
    for k in range(1, len(ring) - 1):
        total += (ring[k, 0] - ring[0, 0]) * (ring[k + 1, 1] - ring[0, 1])
        total -= (ring[k + 1, 0] - ring[0, 0]) * (ring[k, 1] - ring[0, 1])
    return 0.5 * total


@numba.njit(nogil=True, cache=True)
def resampled(ring, flags, count):  # type: ignore[no-untyped-def]
    """Lay `count` points at equal distances along the closed ring, the first at its first point.

    A point is flagged if both ends of the side it lies on are.
    """
    out = np.empty((count, 2), np.float64)
    flagged = np.zeros(count, np.uint8)
    step = perimeter_of(ring) / count
    k, done = 0, 0.0
    n = len(ring)
    x0, y0 = ring[0, 0], ring[0, 1]
    x1, y1 = ring[1 % n, 0], ring[1 % n, 1]
    length = math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2)
    for i in range(count):
        wanted = i * step
        while done + length < wanted and k < n - 1:
            done += length
            k += 1
            x0, y0 = x1, y1
            m = k + 1 if k + 1 < n else 0
            x1, y1 = ring[m, 0], ring[m, 1]
            length = math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2)
        t = min(1.0, (wanted - done) / length) if length > 0 else 0.0
        out[i, 0] = x0 + t * (x1 - x0)
        out[i, 1] = y0 + t * (y1 - y0)
        flagged[i] = flags[k] & flags[k + 1 if k + 1 < n else 0]
    return out, flagged


@numba.njit(nogil=True, cache=True)
def sides_cross(ax, ay, bx, by, dx, dy, ex, ey):  # type: ignore[no-untyped-def]
    """Whether the sides a-b and d-e cross or touch."""
    if max(dx, ex) < min(ax, bx) or max(ax, bx) < min(dx, ex):
        return False
    if max(dy, ey) < min(ay, by) or max(ay, by) < min(dy, ey):
        return False
    d1 = (bx - ax) * (dy - ay) - (by - ay) * (dx - ax)
    d2 = (bx - ax) * (ey - ay) - (by - ay) * (ex - ax)
    d3 = (ex - dx) * (ay - dy) - (ey - dy) * (ax - dx)
    d4 = (ex - dx) * (by - dy) - (ey - dy) * (bx - dx)
    return d1 * d2 <= 0 and d3 * d4 <= 0


@numba.njit(nogil=True, cache=True)
def is_simple(ring):  # type: ignore[no-untyped-def]
    """Whether no two sides of the ring cross or touch but neighbours in their common corner. O(n²)."""
    n = len(ring)
    if n < 3:
        return False
    for i in range(n):
        ax, ay = ring[i, 0], ring[i, 1]
        bx, by = ring[(i + 1) % n, 0], ring[(i + 1) % n, 1]
        if ax == bx and ay == by:
            return False
        # the next side must not fold back onto this one
        cx, cy = ring[(i + 2) % n, 0], ring[(i + 2) % n, 1]
        if (bx - ax) * (cy - by) == (by - ay) * (cx - bx) and (bx - ax) * (cx - bx) + (by - ay) * (
            cy - by
        ) < 0:
            return False
        for j in range(i + 2, n if i else n - 1):
            dx, dy = ring[j, 0], ring[j, 1]
            ex, ey = ring[(j + 1) % n, 0], ring[(j + 1) % n, 1]
            if sides_cross(ax, ay, bx, by, dx, dy, ex, ey):
                return False
    return True


@numba.njit(nogil=True, cache=True)
def inside_ring(x, y, ring):  # type: ignore[no-untyped-def]
    """Whether a point lies inside the ring (even-odd)."""
    odd = False
    j = len(ring) - 1
    for i in range(len(ring)):
        if (ring[i, 1] > y) != (ring[j, 1] > y):
            t = (y - ring[i, 1]) / (ring[j, 1] - ring[i, 1])
            if x < ring[i, 0] + t * (ring[j, 0] - ring[i, 0]):
                odd = not odd
        j = i
    return odd


@numba.njit(nogil=True, cache=True)
def holders(points, offsets, areas):  # type: ignore[no-untyped-def]
    """Give each hole (area < 0) the smallest outer ring that holds its first point; -1 for outer rings."""
    n = len(offsets) - 1
    boxes = np.empty((n, 4), np.float64)
    for r in range(n):
        ring = points[offsets[r] : offsets[r + 1]]
        boxes[r, 0], boxes[r, 1] = ring[:, 0].min(), ring[:, 1].min()
        boxes[r, 2], boxes[r, 3] = ring[:, 0].max(), ring[:, 1].max()
    holder = np.full(n, -1)
    for r in range(n):
        if areas[r] >= 0:
            continue
        x, y = points[offsets[r], 0], points[offsets[r], 1]
        for o in range(n):
            if areas[o] <= 0 or (holder[r] >= 0 and areas[o] >= areas[holder[r]]):
                continue
            wide = boxes[o, 0] <= boxes[r, 0] and boxes[o, 2] >= boxes[r, 2]
            high = boxes[o, 1] <= boxes[r, 1] and boxes[o, 3] >= boxes[r, 3]
            if wide and high and inside_ring(x, y, points[offsets[o] : offsets[o + 1]]):
                holder[r] = o
    return holder


@numba.njit(nogil=True, cache=True)
def scan_crossings(points, offsets, low, per_unit, rows, counts, out):  # type: ignore[no-untyped-def]
    """List where rings cross the scan lines y = low + (r + ½) / per_unit; with counts only if `out` is
    empty."""
    for ring in range(len(offsets) - 1):
        first, last = offsets[ring], offsets[ring + 1]
        for k in range(first, last):
            m = k + 1 if k + 1 < last else first
            x0, y0, x1, y1 = points[k, 0], points[k, 1], points[m, 0], points[m, 1]
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            if y0 == y1:
                continue
            top = max(0, math.ceil((y0 - low) * per_unit - 0.5))
            end = min(rows, math.ceil((y1 - low) * per_unit - 0.5))
            slope = (x1 - x0) / (y1 - y0)
            for r in range(top, end):
                if out.shape[1]:
                    out[r, counts[r]] = x0 + (low + (r + 0.5) / per_unit - y0) * slope
                counts[r] += 1


@numba.njit(nogil=True, cache=True)
def crossings_of(points, offsets, low, per_unit, rows):  # type: ignore[no-untyped-def]
    """Sorted crossings of all scan lines, and how many each has."""
    counts = np.zeros(rows, np.int64)
    scan_crossings(points, offsets, low, per_unit, rows, counts, np.empty((rows, 0)))
    out = np.empty((rows, max(1, counts.max() if rows else 1)))
    counts[:] = 0
    scan_crossings(points, offsets, low, per_unit, rows, counts, out)
    for r in range(rows):
        row = out[r]
        if counts[r] > 16:
            row[: counts[r]].sort()
            continue
        for a in range(1, counts[r]):  # few: insertion sort
            value, b = row[a], a - 1
            while b >= 0 and row[b] > value:
                row[b + 1] = row[b]
                b -= 1
            row[b + 1] = value
    return out, counts


@numba.njit(nogil=True, cache=True)
def overlap(a_points, a_offsets, b_points, b_offsets, per_unit):  # type: ignore[no-untyped-def]
    """IoU of two even-odd areas by exact lengths on scan lines, `per_unit` of them a unit of y."""
    low = min(a_points[:, 1].min(), b_points[:, 1].min())
    high = max(a_points[:, 1].max(), b_points[:, 1].max())
    rows = max(1, math.ceil((high - low) * per_unit))
    a, a_count = crossings_of(a_points, a_offsets, low, per_unit, rows)
    b, b_count = crossings_of(b_points, b_offsets, low, per_unit, rows)
    both = either = 0.0
    for r in range(rows):
        i = j = 0
        last = 0.0
        in_a = in_b = False
        while i < a_count[r] or j < b_count[r]:
            from_a = j >= b_count[r] or (i < a_count[r] and a[r, i] <= b[r, j])
            x = a[r, i] if from_a else b[r, j]
            if in_a or in_b:
                either += x - last
                if in_a and in_b:
                    both += x - last
            last = x
            if from_a:
                in_a = not in_a
                i += 1
            else:
                in_b = not in_b
                j += 1
    return both / either if either > 0 else 0.0


@numba.njit(nogil=True, cache=True)
def rings_touch(a, b):  # type: ignore[no-untyped-def]
    """Whether any sides of two rings cross or touch. O(n·m)."""
    for i in range(len(a)):
        i2 = i + 1 if i + 1 < len(a) else 0
        ax, ay, bx, by = a[i, 0], a[i, 1], a[i2, 0], a[i2, 1]
        for j in range(len(b)):
            j2 = j + 1 if j + 1 < len(b) else 0
            dx, dy, ex, ey = b[j, 0], b[j, 1], b[j2, 0], b[j2, 1]
            if sides_cross(ax, ay, bx, by, dx, dy, ex, ey):
                return True
    return False


@numba.njit(nogil=True, cache=True)
def mean_inside(values, points, offsets):  # type: ignore[no-untyped-def]
    """Mean of the pixels whose centres lie inside the even-odd area of the rings; -1 if there is none."""
    h, w = values.shape
    rows, counts = crossings_of(points, offsets, 0.0, 1.0, h)
    total, number = 0.0, 0
    for r in range(h):
        for k in range(0, counts[r] - 1, 2):
            for j in range(max(0, math.ceil(rows[r, k] - 0.5)), min(w, math.ceil(rows[r, k + 1] - 0.5))):
                total += values[r, j]
                number += 1
    return total / number if number else -1.0


@numba.njit(nogil=True, cache=True)
def covered(points, offsets, height, width, fine):  # type: ignore[no-untyped-def]
    """Share of each pixel that the even-odd area of the rings covers: exact along x, on `fine` lines a
    pixel."""
    rows, counts = crossings_of(points, offsets, 0.0, float(fine), height * fine)
    out = np.zeros((height, width), np.float32)
    for r in range(height * fine):
        for k in range(0, counts[r] - 1, 2):
            left, right = max(0.0, rows[r, k]), min(float(width), rows[r, k + 1])
            for j in range(int(left), min(width, math.ceil(right))):
                out[r // fine, j] += max(0.0, min(right, j + 1.0) - max(left, float(j))) / fine
    return out
