"""Overlap and suppression of boxes, compiled: float32 in torchvision's order, so that keeps are the same."""

import numba
import numpy as np

MARGIN = 1.001
"""How much farther than the bound a search goes: rounding must not hide a box."""


@numba.njit(nogil=True, cache=True, error_model="numpy")
def overlap(a0, a1, a2, a3, b0, b1, b2, b3):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Intersection over union of two boxes; NaN of two empty ones."""
    zero = np.float32(0)
    inner = max(zero, min(a2, b2) - max(a0, b0)) * max(zero, min(a3, b3) - max(a1, b1))
    return inner / ((a2 - a0) * (a3 - a1) + (b2 - b0) * (b3 - b1) - inner)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def sound(xyxy, score):  # type: ignore[no-untyped-def]
    """Whether all numbers are finite and every box has its smaller corner first: one look at each."""
    for i in range(len(xyxy)):
        x0, y0, x1, y1 = xyxy[i, 0], xyxy[i, 1], xyxy[i, 2], xyxy[i, 3]
        if not (x0 <= x1 and y0 <= y1):  # NaN is neither
            return False
        if np.isinf(x0) or np.isinf(y0) or np.isinf(x1) or np.isinf(y1) or not np.isfinite(score[i]):
            return False
    return True


@numba.njit(nogil=True, cache=True, error_model="numpy")
def overlaps(a, b, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n, m) with the overlap of every pair."""
    for i in range(len(a)):
        for j in range(len(b)):
            share = overlap(a[i, 0], a[i, 1], a[i, 2], a[i, 3], b[j, 0], b[j, 1], b[j, 2], b[j, 3])
            out[i, j] = share if share > 0 else np.float32(0)  # not NaN either


@numba.njit(nogil=True, cache=True, error_model="numpy")
def falling_order(score):  # type: ignore[no-untyped-def]
    """Rows by falling score, equal ones as they stand: a radix sort of the bits, 11 at a time."""
    n = len(score)
    bits = (score + np.float32(0)).view(np.uint32)  # adding 0 makes -0 the 0 it equals
    keys, others = np.empty(n, np.uint32), np.empty(n, np.uint32)
    rows, places = np.empty(n, np.int32), np.empty(n, np.int32)
    counts = np.zeros((3, 2048), np.int32)
    for i in range(n):
        bit = bits[i]
        key = bit if bit >> np.uint32(31) else ~bit & np.uint32(0x7FFFFFFF)  # larger floats first
        keys[i], rows[i] = key, i
        counts[0, key & np.uint32(2047)] += 1
        counts[1, (key >> np.uint32(11)) & np.uint32(2047)] += 1
        counts[2, key >> np.uint32(22)] += 1
    for turn in range(3):
        shift = np.uint32(11 * turn)
        at = np.int32(0)
        for digit in range(2048):
            here = counts[turn, digit]
            counts[turn, digit] = at
            at += here
        for i in range(n):
            key = keys[i]
            digit = (key >> shift) & np.uint32(2047)
            place = counts[turn, digit]
            counts[turn, digit] += 1
            others[place], places[place] = key, rows[i]
        keys, others = others, keys
        rows, places = places, rows
    return rows


@numba.njit(nogil=True, cache=True, error_model="numpy")
def reach_of(threshold):  # type: ignore[no-untyped-def]
    """How far centres may lie apart, in widths of either box, where the overlap is above a threshold.

    The intersection is at least `threshold` of the wider one, w, and at most (w + v)/2 - distance; v is no
    narrower than `threshold · w`. So the distance is below v·(1 - threshold) for thresholds ≥ ½, else below
    v·(1/threshold - 1)/2.
    """
    if threshold >= 0.5:
        return 1.0 - threshold
    return (1.0 / threshold - 1.0) / 2 if threshold > 1e-6 else 1e6


@numba.njit(nogil=True, cache=True, error_model="numpy")
def grid_of(xyxy, reach):  # type: ignore[no-untyped-def]
    """Lay a grid over the boxes: left, top, cell width and height, the widest and the highest box; its shape.

    Cells are about as large as the search of a mean box, and no more than there are boxes.
    """
    n = len(xyxy)
    left, top, right, bottom = xyxy[0, 0], xyxy[0, 1], xyxy[0, 2], xyxy[0, 3]
    wide, high, widest, highest = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        left, top = min(left, xyxy[i, 0]), min(top, xyxy[i, 1])
        right, bottom = max(right, xyxy[i, 2]), max(bottom, xyxy[i, 3])
        w, h = np.float64(xyxy[i, 2]) - xyxy[i, 0], np.float64(xyxy[i, 3]) - xyxy[i, 1]
        wide, high = wide + w, high + h
        widest, highest = max(widest, w), max(highest, h)
    most = max(1.0, np.sqrt(np.float64(n)))
    width, height = np.float64(right) - left, np.float64(bottom) - top
    across = np.int64(min(most, 1 + width / max(wide / n * reach, 1e-9)))
    down = np.int64(min(most, 1 + height / max(high / n * reach, 1e-9)))
    cell_w, cell_h = max(width / across, 1e-9), max(height / down, 1e-9)
    return (np.float64(left), np.float64(top), cell_w, cell_h, widest, highest), (down, across)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def covered(box, name, held, names, first, after, ranges, threshold):  # type: ignore[no-untyped-def]
    """Whether a kept box of the same class, in these rows and columns of cells, overlaps with this one."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    for row in range(ranges[0], ranges[1] + 1):
        for column in range(ranges[2], ranges[3] + 1):
            k = first[row, column]
            while k >= 0:
                w = min(box[2], held[k, 2]) - max(box[0], held[k, 0])
                h = min(box[3], held[k, 3]) - max(box[1], held[k, 1])
                if w > 0 and h > 0 and names[k] == name:
                    inner = w * h
                    if np.float64(inner / (held[k, 4] + area - inner)) > threshold:
                        return True
                k = after[k]
    return False


@numba.njit(nogil=True, cache=True, error_model="numpy")
def suppress(xyxy, score, label, threshold):  # type: ignore[no-untyped-def]
    """Greedy suppression, best first; the rows kept. Kept boxes lie in a grid by their centres.

    A candidate is held only against kept boxes so near that their overlap can be above the threshold;
    `label` empty: all are one class.
    """
    n, reach = len(score), reach_of(threshold)
    order = falling_order(score)
    (left, top, cell_w, cell_h, widest, highest), (down, across) = grid_of(xyxy, reach)
    first, after = np.full((down, across), -1, np.int32), np.empty(n, np.int32)
    held, names = np.empty((n, 5), np.float32), np.empty(n, np.int32)
    keep = np.empty(n, np.int64)
    count = 0
    for i in order:
        x0, y0, x1, y1 = xyxy[i, 0], xyxy[i, 1], xyxy[i, 2], xyxy[i, 3]
        name = label[i] if len(label) else np.int32(0)
        w, h = np.float64(x1) - x0, np.float64(y1) - y0
        x, y = x0 + w / 2 - left, y0 + h / 2 - top
        far_x = min(w * reach, (w + widest) / 2) * MARGIN + 1e-6
        far_y = min(h * reach, (h + highest) / 2) * MARGIN + 1e-6
        ranges = (
            max(0, np.int64((y - far_y) / cell_h)),
            min(down - 1, np.int64((y + far_y) / cell_h)),
            max(0, np.int64((x - far_x) / cell_w)),
            min(across - 1, np.int64((x + far_x) / cell_w)),
        )
        if covered((x0, y0, x1, y1), name, held, names, first, after, ranges, threshold):
            continue
        row, column = min(down - 1, np.int64(y / cell_h)), min(across - 1, np.int64(x / cell_w))
        held[count, 0], held[count, 1], held[count, 2], held[count, 3] = x0, y0, x1, y1
        held[count, 4], names[count] = (x1 - x0) * (y1 - y0), name
        after[count], first[row, column] = first[row, column], count
        keep[count] = i
        count += 1
    return keep[:count]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def lowered(score, share, sigma, threshold):  # type: ignore[no-untyped-def]
    """A score beside a better box that overlaps by `share`: equations 3 (`sigma` > 0) and 2."""
    if not share > 0:
        return score
    if sigma > 0:
        return score * np.float32(np.exp(-(np.float64(share) ** 2) / sigma))
    return score * (np.float32(1) - share) if share > threshold else score


@numba.njit(nogil=True, cache=True, error_model="numpy")
def soften(xyxy, score, label, sigma, threshold, least):  # type: ignore[no-untyped-def]
    """Soft suppression (Bodla et al. 2017, arXiv 1704.04503): rows by falling new score, and these scores.

    `sigma` > 0: eq. 3, a score is multiplied by exp(-overlap²/sigma); else by 1 - overlap where that is above
    the threshold (eq. 2). What falls below `least` is left out.
    """
    n = len(score)
    now = score.copy()
    rows = np.arange(n)
    keep, kept_score = np.empty(n, np.int64), np.empty(n, np.float32)
    count, left = 0, n
    while left > 0:
        best = 0
        for k in range(1, left):
            if now[rows[k]] > now[rows[best]] or (now[rows[k]] == now[rows[best]] and rows[k] < rows[best]):
                best = k
        i = rows[best]
        if now[i] < least:
            break
        keep[count], kept_score[count] = i, now[i]
        count += 1
        left -= 1
        rows[best] = rows[left]
        for k in range(left):
            j = rows[k]
            if len(label) > 0 and label[i] != label[j]:
                continue
            share = overlap(
                xyxy[i, 0], xyxy[i, 1], xyxy[i, 2], xyxy[i, 3],
                xyxy[j, 0], xyxy[j, 1], xyxy[j, 2], xyxy[j, 3],
            )  # fmt: skip
            now[j] = lowered(now[j], share, sigma, threshold)
    return keep[:count], kept_score[:count]
