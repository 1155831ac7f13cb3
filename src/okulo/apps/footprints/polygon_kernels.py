"""Whole polygons made regular, compiled: what is tried, in which order, and what each attempt must hold."""

import math

import numba
import numpy as np

from okulo.algo.ring_kernels import (
    area_of,
    inside_ring,
    is_simple,
    overlap,
    perimeter_of,
    resampled,
    rings_touch,
)
from okulo.apps.footprints.direction_kernels import main_directions
from okulo.apps.footprints.fit_kernels import (
    ALONG_X,
    FREE,
    PER_MAIN,
    cross_lines,
    cut_ring,
    farthest_corner,
    refit_angles,
    rolled,
    side_lines,
    unit_normals,
)
from okulo.apps.footprints.segment_kernels import HALF

REGULAR, ALREADY, CIRCLE, CURVED, SIMPLER, KEPT = 0, 1, 2, 3, 4, 5
"""Status: made regular, was so, made a circle, curved and only simplified, too far from the mask: only
simplified, kept as it was."""
PRICE, SLOPE, FLOOR, STEP, TRIM, LEAST, ROUNDS, TOLERANCE = 0, 1, 2, 3, 4, 5, 6, 7
DIAGONAL, SECOND, FREELY, BEND, ANOTHER = 8, 9, 10, 11, 12
"""Places in `options`: price of a side, px², and how it grows with the variance of the points about their
sides; the IoU to hold; cut at every so many points; points left out at corners; least share of a second
direction; rounds; how far a simplified outline may be off, px; how much dearer diagonals, the second
direction and free sides are; what a point's lean from its side costs, px²; how many sides' prices a second
direction must save."""
COARSE = 60
"""A ring of more points is cut at every other place first, until price and directions have settled."""
NOISE_HOLE = 30.0
"""A smaller hole that the new outline crosses is noise: it goes, instead of the outline, px²."""
ROUND_SIDES = 3.0
"""A circle costs as much as so many sides: it has three numbers, a line nearly two."""
ROUND_OVERLAP = 0.86
"""Least IoU of a circle with the outline that becomes it: a square's best is 0.83."""
SQUARE_SIDES = 4.5
"""The same where directions are given (a hole, a row of houses): round ones are rare there."""


@numba.njit(nogil=True, cache=True)
def circle_of(points, bend):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Fit a circle (Kåsa 1976): middle, radius, and what its points cost as those of a side do."""
    n = len(points)
    xx = xy = yy = xz = yz = 0.0
    zz = 0.0
    for k in range(n):  # the points are around the origin
        x, y = points[k, 0], points[k, 1]
        z = x * x + y * y
        xx, xy, yy = xx + x * x, xy + x * y, yy + y * y
        xz, yz, zz = xz + x * z, yz + y * z, zz + z
    det = xx * yy - xy * xy
    if det <= 0:
        return 0.0, 0.0, 0.0, 1e300
    cx, cy = 0.5 * (xz * yy - yz * xy) / det, 0.5 * (yz * xx - xz * xy) / det
    radius = math.sqrt(zz / n + cx * cx + cy * cy)
    off = 0.0
    for k in range(n):
        x, y = points[k, 0] - cx, points[k, 1] - cy
        far = max(math.hypot(x, y), 1e-9)
        after, before = (k + HALF) % n, (k - HALF) % n
        lean = (points[after, 0] - points[before, 0]) * x + (points[after, 1] - points[before, 1]) * y
        off += (far - radius) ** 2 + bend * (lean / (2 * HALF * far)) ** 2
    return cx, cy, radius, off


@numba.njit(nogil=True, cache=True)
def draw_circle(cx, cy, radius, tolerance):  # type: ignore[no-untyped-def]
    """Lay corners on a circle, so that the sides are off by at most `tolerance`, with the circle's area."""
    sides = max(16, math.ceil(math.pi / math.acos(max(0.0, 1 - tolerance / radius))))
    reach = radius * math.sqrt(2 * math.pi / (sides * math.sin(2 * math.pi / sides)))
    out = np.empty((sides, 2))
    for k in range(sides):
        angle = 2 * math.pi * k / sides
        out[k, 0], out[k, 1] = cx + reach * math.cos(angle), cy + reach * math.sin(angle)
    return out


@numba.njit(nogil=True, cache=True)
def is_regular(ring):  # type: ignore[no-untyped-def]
    """Whether a ring needs nothing: a circle of equal sides, or long sides, most exactly at right angles to
    or along others."""
    n = len(ring)
    cx, cy = ring[:, 0].mean(), ring[:, 1].mean()
    low, high = 1e300, 0.0
    longest, at, shortest = 0.0, 0, 1e300
    for k in range(n):
        m = k + 1 if k + 1 < n else 0
        length = (ring[m, 0] - ring[k, 0]) ** 2 + (ring[m, 1] - ring[k, 1]) ** 2
        far = (ring[k, 0] - cx) ** 2 + (ring[k, 1] - cy) ** 2
        low, high = min(low, far), max(high, far)
        shortest = min(shortest, length)
        if length > longest:
            longest, at = length, k
        if shortest < 1.5 * 1.5 and (n < 16 or high - low > 1e-5 * high):
            return False, 0.0
    if n >= 16 and high - low <= 1e-5 * high:
        return True, 0.0
    if n > 64:
        return False, 0.0
    m = at + 1 if at + 1 < n else 0
    angles = np.empty(n)
    for k in range(n):
        m = k + 1 if k + 1 < n else 0
        angles[k] = math.atan2(ring[m, 1] - ring[k, 1], ring[m, 0] - ring[k, 0])
    square = 0
    for k in range(n):
        for m in range(n):
            if m != k and abs(math.sin(2 * (angles[k] - angles[m]))) < 2e-6:
                square += 1
                break
    return 2 * square > n, angles[at]


@numba.njit(nogil=True, cache=True)
def simplified(ring, tolerance):  # type: ignore[no-untyped-def]
    """Douglas-Peucker between the point farthest from the middle and the one farthest from that."""
    n = len(ring)
    start = farthest_corner(ring)
    turned = np.empty((n + 1, 2))
    turned[:n] = rolled(ring, start)
    turned[n] = turned[0]
    keep = np.zeros(n + 1, np.uint8)
    far, middle = -1.0, 1
    for k in range(1, n):
        d = (turned[k, 0] - turned[0, 0]) ** 2 + (turned[k, 1] - turned[0, 1]) ** 2
        if d > far:
            far, middle = d, k
    keep[0] = keep[middle] = 1
    stack = [(0, middle), (middle, n)]
    while len(stack):
        a, b = stack.pop()
        dx, dy = turned[b, 0] - turned[a, 0], turned[b, 1] - turned[a, 1]
        length = max(math.hypot(dx, dy), 1e-12)
        worst, at = tolerance, -1
        for k in range(a + 1, b):
            off = abs((turned[k, 0] - turned[a, 0]) * dy - (turned[k, 1] - turned[a, 1]) * dx) / length
            if off > worst:
                worst, at = off, k
        if at >= 0:
            keep[at] = 1
            stack.append((a, at))
            stack.append((at, b))
    return turned[:n][keep[:n] == 1]


@numba.njit(nogil=True, cache=True)
def settle(points, edge, mains, thetas, keep, options, axes, first, slope):  # type: ignore[no-untyped-def]
    """Cut a ring into sides again and again until price and directions have settled.

    `keep`: do not fit the directions. `first` is the price to begin with; it grows by `slope` times the
    variance of the points (0: it stays). Gives points, flags (turned round), sums, where sides begin, labels,
    cost, price, directions, and variance.
    """
    points, edge = points.copy(), edge.copy()
    factors, bend = options[DIAGONAL : FREELY + 1], options[BEND]
    price, fitted, spread = first, thetas, 0.0
    step, trim, rounds = int(options[STEP]), int(options[TRIM]), int(options[ROUNDS])
    fine = len(points) < COARSE
    for attempt in range(rounds + 1):
        sums, starts, labels, cost, off = cut_ring(
            points, edge, mains, thetas, price, factors, bend, step if fine else 2 * step, axes
        )
        if not keep:
            fitted = refit_angles(sums, starts, labels, mains, thetas, trim)
        spread = max(off, 0.0) / max(1, len(points) - 2 * len(starts))
        wanted = first + slope * spread
        settled = wanted < 1.15 * price and np.abs(fitted - thetas).max() < 0.015
        if fine and (settled or attempt >= rounds - 1):
            break
        fine = fine or settled or attempt >= rounds - 2
        price, thetas = wanted, fitted
    return points, edge, sums, starts, labels, cost, price, fitted, spread


@numba.njit(nogil=True, cache=True)
def has_second(labels):  # type: ignore[no-untyped-def]
    """Whether any side has the second main direction."""
    return ((labels >= PER_MAIN) & (labels < ALONG_X)).any()


@numba.njit(nogil=True, cache=True)
def ring_overlap(a, b):  # type: ignore[no-untyped-def]
    """IoU of the areas of two rings, one scan line a pixel."""
    return overlap(a, np.array([0, len(a)]), b, np.array([0, len(b)]), 1.0)


@numba.njit(nogil=True, cache=True)
def fit_ring(points, edge, mains, thetas, fixed, options, axes, mild):  # type: ignore[no-untyped-def]
    """Make a ring of close points regular: corners, directions, status, variance, directions used.

    `fixed`: keep the directions given. `mild`: divide the price of a side by this.
    """
    cx, cy = points[:, 0].mean(), points[:, 1].mean()
    points = points - np.array([cx, cy])
    start = farthest_corner(points)
    points, edge = rolled(points, start), rolled(edge, start)
    base, slope, trim = options[PRICE] / mild, options[SLOPE] / mild, int(options[TRIM])
    made = settle(points, edge, mains, thetas, fixed, options, axes, base, slope)
    if not fixed and mains == 2 and has_second(made[4]):
        # A bare 1 (below, a bare True) would be a type of its own, for which all is compiled again.
        one = settle(points, edge, np.int64(1), thetas, fixed, options, axes, made[6], 0.0)
        if one[5] < made[5] + options[ANOTHER] * made[6]:
            made, mains = one, 1
    points, edge, sums, starts, labels, cost, price, fitted, spread = made
    x, y, radius, off = circle_of(points, options[BEND])
    sides = SQUARE_SIDES if fixed else ROUND_SIDES
    if mild == 1 and not edge.any() and off + sides * price < cost:
        ring = draw_circle(x, y, radius, 0.25)
        if ring_overlap(points, ring) >= ROUND_OVERLAP:
            return ring + np.array([cx, cy]), fitted, CIRCLE, spread, mains
    lines = side_lines(sums, starts, labels, unit_normals(mains, fitted, axes), trim)
    free, used = 0, 2 if has_second(labels) else 1
    for s in range(len(starts)):
        if labels[s] == FREE:
            free += (starts[s + 1] if s + 1 < len(starts) else len(points)) - starts[s]
    ring = cross_lines(points, starts, lines)
    return ring + np.array([cx, cy]), fitted, CURVED if 2 * free > len(points) else REGULAR, spread, used


@numba.njit(nogil=True, cache=True)
def spread_points(ring, flags, spacing):  # type: ignore[no-untyped-def]
    """Resample a ring to points about `spacing` apart, at least 12."""
    return resampled(ring, flags, max(12, int(perimeter_of(ring) / spacing + 0.5)))


@numba.njit(nogil=True, cache=True)
def holds(ring, outer, holes, area):  # type: ignore[no-untyped-def]
    """Whether a ring is simple, runs as its model does, lies inside `outer` if given, and off other holes."""
    if len(ring) < 3 or not is_simple(ring) or area_of(ring) * area <= 0:
        return False
    if len(outer):
        if rings_touch(ring, outer) or not inside_ring(ring[0, 0], ring[0, 1], outer):
            return False
        for hole in holes:
            if rings_touch(ring, hole) or inside_ring(ring[0, 0], ring[0, 1], hole):
                return False
            if inside_ring(hole[0, 0], hole[0, 1], ring):
                return False
    return True


@numba.njit(nogil=True, cache=True)
def regular_ring(ring, flags, mains, thetas, fixed, options, axes, outer, holes):  # type: ignore[no-untyped-def]
    """Make one ring regular as far as it stays valid and on its area: ring, directions, status, IoU,
    spread."""
    area = area_of(ring)
    already, angle = is_regular(ring)
    if already and holds(ring, outer, holes, area):
        return ring, mains, np.array([angle, angle]) if mains == 0 else thetas, ALREADY, 1.0, 0.0
    start = farthest_corner(ring)  # wherever the ring began: the answer is the same
    points, edge = spread_points(rolled(ring, start), rolled(flags, start), 1.0)
    if mains == 0:
        mains, thetas = main_directions(points, edge, options[LEAST])
    curved = False
    spread = 0.0
    for mild in (1.0, 4.0):
        made, fitted, status, spread, used = fit_ring(points, edge, mains, thetas, fixed, options, axes, mild)
        curved = curved or status == CURVED
        if status != CURVED and holds(made, outer, holes, area):
            shared = ring_overlap(ring, made)
            if shared >= options[FLOOR]:
                return made, used, fitted, status, shared, spread
    made = simplified(ring, options[TOLERANCE])
    if holds(made, outer, holes, area):
        shared = ring_overlap(ring, made)
        if shared >= options[FLOOR]:
            return made, mains, thetas, CURVED if curved else SIMPLER, shared, spread
    return ring, mains, thetas, KEPT, 1.0, spread


@numba.njit(nogil=True, cache=True)
def regular_polygon(points, flags, rings, mains, thetas, fixed, options, axes):  # type: ignore[no-untyped-def]
    """Make one polygon regular, holes along the directions of the outer ring: rings, status, IoU, angle,
    spread.

    `rings`: where each ring begins in `points`, and where the last ends.
    """
    nothing = np.empty((0, 2))
    made = [nothing]
    made.pop()
    a, b = rings[0], rings[1]
    outer, mains, thetas, status, shared, spread = regular_ring(
        points[a:b], flags[a:b], mains, thetas, fixed, options, axes, nothing, made
    )
    made.append(outer)
    holes = [nothing]
    holes.pop()
    for h in range(1, len(rings) - 1):
        a, b = rings[h], rings[h + 1]
        hole, _, _, how, _, _ = regular_ring(
            points[a:b], flags[a:b], mains, thetas, np.bool_(True), options, axes, outer, holes
        )
        if how == KEPT and not holds(hole, outer, holes, -1.0):
            if -area_of(hole) < NOISE_HOLE:
                continue  # a speck under the new outline
            # The new outline crosses the hole: then the whole polygon stays as it was.
            made = [points[rings[k] : rings[k + 1]] for k in range(len(rings) - 1)]
            return made, KEPT, 1.0, thetas[0], spread, mains
        if status == ALREADY and how != ALREADY:
            status = how
        holes.append(hole)
        made.append(hole)
    if len(rings) > 2:
        flat = nothing
        offsets = np.zeros(len(made) + 1, np.int64)
        for k in range(len(made)):
            flat = np.concatenate((flat, made[k]))
            offsets[k + 1] = len(flat)
        shared = overlap(points[rings[0] : rings[-1]], rings - rings[0], flat, offsets, 1.0)
        if shared < options[FLOOR]:
            made = [points[rings[k] : rings[k + 1]] for k in range(len(rings) - 1)]
            return made, KEPT, 1.0, thetas[0], spread, mains
    return made, status, shared, thetas[0], spread, mains


@numba.njit(nogil=True, cache=True)
def regular_all(points, flags, rings, polygons, given, options, axes):  # type: ignore[no-untyped-def]
    """Make many polygons regular: points, where rings begin, with which ring
    each polygon begins, and (status, IoU, angle, spread, mains) of each.

    `polygons`: which ring each begins with. `given`: a direction for each (radians), or nan: find it.
    """
    count = len(polygons) - 1
    out = np.empty((max(64, len(points) // 2), 2))
    offsets, first_rings = [0], [0]
    told = np.empty((count, 5))
    total = 0
    for p in range(count):
        fixed = not np.isnan(given[p])
        thetas = np.zeros(2)
        if fixed:
            thetas[:] = given[p]
        made, status, shared, angle, spread, mains = regular_polygon(
            points, flags, rings[polygons[p] : polygons[p + 1] + 1], int(fixed), thetas, fixed, options, axes
        )
        told[p, 0], told[p, 1], told[p, 2], told[p, 3], told[p, 4] = status, shared, angle, spread, mains
        for ring in made:
            while total + len(ring) > len(out):
                out = np.concatenate((out, np.empty_like(out)))
            out[total : total + len(ring)] = ring
            total += len(ring)
            offsets.append(total)
        first_rings.append(len(offsets) - 1)
    return out[:total].copy(), np.array(offsets), np.array(first_rings), told
