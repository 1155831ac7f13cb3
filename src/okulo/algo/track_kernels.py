"""Motion and overlap of tracked boxes, compiled; see `track` for what the arrays mean."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def predict(state, spread, dt_s, push, drift):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Move every box on by `dt_s`, in place: four independent 2×2 Kalman filters each."""
    for i in range(len(state)):
        size = np.sqrt(state[i, 2, 0] * state[i, 3, 0])
        hard = (push * size) ** 2 * dt_s
        soft = (drift * size) ** 2 * dt_s
        for k in range(4):
            state[i, k, 0] += state[i, k, 1] * dt_s
            pp, pv, vv = spread[i, k, 0], spread[i, k, 1], spread[i, k, 2]
            spread[i, k, 0] = pp + 2 * dt_s * pv + dt_s**2 * vv + hard * dt_s**2 / 3 + soft
            spread[i, k, 1] = pv + dt_s * vv + hard * dt_s / 2
            spread[i, k, 2] = vv + hard
        for k in range(2, 4):  # a box that shrinks does not turn inside out
            if state[i, k, 0] < 1.0:
                state[i, k, 0] = 1.0
                state[i, k, 1] = 0.0


@numba.njit(nogil=True, cache=True)
def correct(state, spread, rows, boxes, jitter):  # type: ignore[no-untyped-def]
    """Bring the boxes of these rows nearer to what was seen (cx, cy, w, h), in place."""
    for j in range(len(rows)):
        i = rows[j]
        noise = jitter**2 * boxes[j, 2] * boxes[j, 3]
        for k in range(4):
            pp, pv, vv = spread[i, k, 0], spread[i, k, 1], spread[i, k, 2]
            total = pp + noise
            surprise = boxes[j, k] - state[i, k, 0]
            state[i, k, 0] += pp / total * surprise
            state[i, k, 1] += pv / total * surprise
            spread[i, k, 0] = pp * noise / total
            spread[i, k, 1] = pv * noise / total
            spread[i, k, 2] = vv - pv * pv / total


@numba.njit(nogil=True, cache=True)
def overlap(state, spread, rows, boxes, columns, weight, doubt, widest, apart, track_label, label):  # type: ignore[no-untyped-def]
    """IoU of predicted boxes (rows) with seen ones (columns), times the weight; 0 between classes if `apart`.

    Both are widened on each side by `doubt` standard deviations of where the track is: one that was long out
    of sight is looked for further around, by at most `widest` of its size.
    """
    made = np.zeros((len(rows), len(columns)))
    for r in range(len(rows)):
        i = rows[r]
        size = np.sqrt(state[i, 2, 0] * state[i, 3, 0])
        pad_x = min(doubt * np.sqrt(spread[i, 0, 0]), widest * size)
        pad_y = min(doubt * np.sqrt(spread[i, 1, 0]), widest * size)
        w, h = state[i, 2, 0] + 2 * pad_x, state[i, 3, 0] + 2 * pad_y
        x0, y0 = state[i, 0, 0] - w / 2, state[i, 1, 0] - h / 2
        for c in range(len(columns)):
            j = columns[c]
            if apart and track_label[i] != label[j]:
                continue
            bw, bh = boxes[j, 2] + 2 * pad_x, boxes[j, 3] + 2 * pad_y
            left, top = boxes[j, 0] - bw / 2, boxes[j, 1] - bh / 2
            wide = min(x0 + w, left + bw) - max(x0, left)
            if wide <= 0:
                continue
            high = min(y0 + h, top + bh) - max(y0, top)
            if high <= 0:
                continue
            both = wide * high
            made[r, c] = both / (w * h + bw * bh - both) * weight[j]
    return made


@numba.njit(nogil=True, cache=True)
def unrivalled(similarity, least):  # type: ignore[no-untyped-def]
    """Pair rows and columns that suit nobody else; gives each row's column (−1), and who is left over."""
    n, m = similarity.shape
    in_row = np.zeros(n, np.int64)
    in_column = np.zeros(m, np.int64)
    found = np.full(n, -1)
    for r in range(n):
        for c in range(m):
            if similarity[r, c] >= least:
                in_row[r] += 1
                in_column[c] += 1
                found[r] = c
    for r in range(n):
        if found[r] >= 0 and (in_row[r] != 1 or in_column[found[r]] != 1):
            found[r] = -1
        elif found[r] >= 0:
            in_column[found[r]] = in_row[r] = 0
    return found, np.flatnonzero(in_row > 0), np.flatnonzero(in_column > 0)
