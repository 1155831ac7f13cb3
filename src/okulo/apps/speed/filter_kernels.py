"""The Kalman filter and smoother of one coordinate of one vehicle, compiled; see `estimate` for the model."""

import numba
import numpy as np

MOTION = 4
"""Place, speed, acceleration, and how far the detector is off at the moment (in box sizes)."""


@numba.njit(nogil=True, cache=True)
def step_matrices(dt_s, pull, pull_s, drift, drift_s):  # type: ignore[no-untyped-def]  # compiled by numba
    """Transition and noise over `dt_s`: acceleration that fades (Singer 1970) and a fading detector error."""
    F, Q = np.eye(MOTION), np.zeros((MOTION, MOTION))
    e, f = np.exp(-dt_s / pull_s), np.exp(-dt_s / drift_s)
    F[0, 1] = dt_s
    F[0, 2] = pull_s * pull_s * (dt_s / pull_s - 1 + e)
    F[1, 2] = pull_s * (1 - e)
    F[2, 2], F[3, 3] = e, f
    q = 2 * pull * pull / pull_s
    Q[0, 0], Q[0, 1], Q[0, 2] = q * dt_s**5 / 20, q * dt_s**4 / 8, q * dt_s**3 / 6
    Q[1, 1], Q[1, 2] = q * dt_s**3 / 3, q * dt_s**2 / 2
    Q[1, 0], Q[2, 0], Q[2, 1] = Q[0, 1], Q[0, 2], Q[1, 2]
    Q[2, 2] = pull * pull * (1 - e * e)
    Q[3, 3] = drift * drift * (1 - f * f)
    return F, Q


@numba.njit(nogil=True, cache=True)
def forward(time_s, place, unit, noise, gate, fastest):  # type: ignore[no-untyped-def]
    """Filter one coordinate; noise is (white, drift, drift_s, pull, pull_s), `unit` metres a box size.

    Gives mean and variance of the speed after each row, mean and variance of the mean speed since the first,
    the filtered and predicted states for the smoother, and the log-likelihood.
    """
    white, drift, drift_s, pull, pull_s = noise
    n = len(time_s)
    means, spreads = np.zeros((n, MOTION)), np.zeros((n, MOTION, MOTION))
    said, saids = np.zeros((n, MOTION)), np.zeros((n, MOTION, MOTION))
    whole = np.zeros((n, 2))
    x, P = np.zeros(MOTION + 1), np.zeros((MOTION + 1, MOTION + 1))  # the last is where it began
    x[0] = x[4] = place[0]
    far = (10 * unit[0] + 10) ** 2
    P[0, 0] = P[4, 4] = P[0, 4] = P[4, 0] = far
    P[1, 1], P[2, 2], P[3, 3] = fastest**2, pull * pull, drift * drift
    F, Q = np.eye(MOTION + 1), np.zeros((MOTION + 1, MOTION + 1))
    likely, last = 0.0, -1.0
    for k in range(n):
        if k:
            dt_s = time_s[k] - time_s[k - 1]
            if dt_s != last:
                F[:MOTION, :MOTION], Q[:MOTION, :MOTION] = step_matrices(dt_s, pull, pull_s, drift, drift_s)
                last = dt_s
            x = F @ x
            P = F @ P @ F.T + Q
        said[k], saids[k] = x[:MOTION], P[:MOTION, :MOTION]
        g = unit[k]
        h = P[:, 0] + g * P[:, 3]
        own = (g * white) ** 2
        total = h[0] + g * h[3] + own
        surprise = place[k] - x[0] - g * x[3]
        z2 = surprise * surprise / total
        likely -= 0.5 * (np.log(total) + min(z2, gate * gate))
        if z2 > gate * gate and k:  # a box that was cut off by another one says less
            total = surprise * surprise / (gate * gate)
        gain = h / total
        x = x + gain * surprise
        P = P - np.outer(gain, h)
        means[k], spreads[k] = x[:MOTION], P[:MOTION, :MOTION]
        since = time_s[k] - time_s[0]
        if since > 0:
            whole[k, 0] = (x[0] - x[4]) / since
            whole[k, 1] = max(P[0, 0] + P[4, 4] - 2 * P[0, 4], 0.0) / since**2
    return means, spreads, said, saids, whole, likely


@numba.njit(nogil=True, cache=True)
def backward(time_s, means, spreads, said, saids, noise):  # type: ignore[no-untyped-def]
    """Smooth what `forward` gave, knowing the future too (Rauch, Tung and Striebel 1965)."""
    _, drift, drift_s, pull, pull_s = noise
    n = len(time_s)
    x, P = means.copy(), spreads.copy()
    for k in range(n - 2, -1, -1):
        F, _ = step_matrices(time_s[k + 1] - time_s[k], pull, pull_s, drift, drift_s)
        scale = np.sqrt(np.diag(saids[k + 1]) + 1e-18)
        even = saids[k + 1] / np.outer(scale, scale) + 1e-10 * np.eye(MOTION)
        gain = np.linalg.solve(even, (F @ spreads[k]) / scale.reshape(-1, 1)).T / scale
        x[k] = means[k] + gain @ (x[k + 1] - said[k + 1])
        P[k] = spreads[k] + gain @ (P[k + 1] - saids[k + 1]) @ gain.T
    return x, P


@numba.njit(nogil=True, cache=True)
def likelihood(starts, time_s, place, unit, noise, gate, fastest):  # type: ignore[no-untyped-def]
    """Log-likelihood of many vehicles; `starts` is where each begins, and the end."""
    total = 0.0
    for i in range(len(starts) - 1):
        a, b = starts[i], starts[i + 1]
        total += forward(time_s[a:b], place[a:b], unit[a:b], noise, gate, fastest)[5]
    return total
