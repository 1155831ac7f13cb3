"""The default estimator: a Kalman filter on the road in real seconds, whose noise is learned from the
vehicles.

Each coordinate moves by a fading acceleration (Singer 1970). What is seen of it is off by white noise and by
a drift that fades as well, both in box sizes, so far vehicles count for less. The four strengths are found
by maximum likelihood over the vehicles of a recording; the variances that come out are then honest. Live:
the filter. Afterwards: the smoother. A vehicle's mean speed: from the filter, which carries along where the
vehicle began.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import minimize

from okulo.apps.speed import filter_kernels as kernels
from okulo.apps.speed.calibration import Calibration
from okulo.apps.speed.ground import Ground, nudged
from okulo.core.errors import BadInput

GATE = 4.0
"""An observation further off than so many standard deviations is held to count no more."""
FASTEST_MPS = 30.0
"""Standard deviation of the speed of a vehicle of which nothing is known."""
FOOT = 5e-4
"""Share of a speed that a flat box leaves open: the middle of its lower side is not quite one point of the
vehicle. Chosen on simulated traffic (seeds 100 to 105) that no reported figure is of."""
NINETY = 1.645
"""A 90 % interval reaches so many standard deviations to either side."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How detector and drivers behave."""

    white: float = 0.02
    """Standard deviation of a box's side anew in each frame, in box sizes."""
    drift: float = 0.01
    """The same, of the part that stays for a while."""
    drift_s: float = 0.7
    """How long."""
    pull_mps2: float = 1.0
    """Typical acceleration."""
    pull_s: float = 3.0
    """How long it lasts."""

    def __post_init__(self) -> None:
        for name in ("white", "drift_s", "pull_mps2", "pull_s"):
            if not getattr(self, name) > 0:
                raise BadInput(name, wanted="a number above 0", got=getattr(self, name))
        if not self.drift >= 0:
            raise BadInput("drift", wanted="a number ≥ 0", got=self.drift)

    def array(self) -> Float64[np.ndarray, "5"]:
        """As the kernels take it."""
        return np.array([self.white, self.drift, self.drift_s, self.pull_mps2, self.pull_s])


@dataclass(frozen=True)
class Speeds:
    """Speeds in m/s, row i for row i of the ground, with a standard deviation each."""

    live: Float64[np.ndarray, " n"]
    """From what had been seen by then."""
    live_sd: Float64[np.ndarray, " n"]
    smooth: Float64[np.ndarray, " n"]
    """From all that was seen of the vehicle."""
    smooth_sd: Float64[np.ndarray, " n"]


@dataclass(frozen=True)
class Means:
    """Mean speed of each vehicle in m/s over the stretch it was seen on, with a standard deviation."""

    speed: Float64[np.ndarray, " m"]
    sd: Float64[np.ndarray, " m"]


def estimate(ground: Ground, calibration: Calibration, noise: Noise = Noise()) -> tuple[Speeds, Means]:
    """Estimate all speeds; a vehicle seen once has none (NaN)."""
    n, m, said = len(ground), ground.vehicles, noise.array()
    live, live_var, smooth, smooth_var = (np.zeros((2, n)) for _ in range(4))
    whole = np.zeros((2, m, 2))
    for i, (a, b) in enumerate(zip(ground.starts[:-1], ground.starts[1:])):
        for axis in range(2):
            time_s, place = ground.time_s[a:b], np.ascontiguousarray(ground.metres[a:b, axis])
            unit = np.ascontiguousarray(ground.unit_m[a:b, axis])
            x, P, ahead, aheads, mean, _ = kernels.forward(time_s, place, unit, said, GATE, FASTEST_MPS)
            live[axis, a:b], live_var[axis, a:b] = x[:, 1], P[:, 1, 1]
            whole[axis, i] = mean[-1]
            x, P = kernels.backward(time_s, x, P, ahead, aheads, said)
            smooth[axis, a:b], smooth_var[axis, a:b] = x[:, 1], P[:, 1, 1]
    once = np.repeat(np.diff(ground.starts) < 2, np.diff(ground.starts))
    first = np.zeros(n, bool)
    first[ground.starts[:-1]] = n > 0
    speeds = Speeds(
        *_length(live, live_var, ground.sway, first | once), *_length(smooth, smooth_var, ground.sway, once)
    )
    alone = np.diff(ground.starts) < 2
    return speeds, Means(*_length(whole[..., 0], whole[..., 1], stretch_sway(ground, calibration), alone))


def _length(
    v: Float64[np.ndarray, "2 n"],
    var: Float64[np.ndarray, "2 n"],
    sway: Float64[np.ndarray, " n"],
    none: np.ndarray,
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Length of the velocity and its standard deviation, the calibration's doubt in it."""
    speed = np.hypot(v[0], v[1])
    share = np.divide(v**2, speed**2, out=np.full_like(v, 0.5), where=speed > 1e-9)
    sd = np.sqrt((share * var).sum(axis=0) + speed**2 * (sway**2 + FOOT**2))
    return np.where(none, np.nan, speed), np.where(none, np.nan, sd)


def stretch_sway(ground: Ground, calibration: Calibration) -> Float64[np.ndarray, " m"]:
    """Relative uncertainty of the way each vehicle went, from clicks that are a little off."""
    m = ground.vehicles
    if not calibration.click_px or not m:
        return np.zeros(m)
    ends = ground.pixel[np.concatenate([ground.starts[:-1], ground.starts[1:] - 1])]

    def way(seen: Calibration) -> Float64[np.ndarray, " m"]:
        metres = seen.ground(ends)
        return np.asarray(np.linalg.norm(metres[m:] - metres[:m], axis=1))

    true = np.maximum(way(calibration), 1e-9)
    return np.asarray(np.sqrt(sum((way(each) / true - 1) ** 2 for each in nudged(calibration))))


def learn_noise(ground: Ground, *, vehicles: int = 40, least_rows: int = 8, start: Noise = Noise()) -> Noise:
    """Find the noise that makes what was seen most likely; with fewer than 3 vehicles, keep `start`.

    Takes the `vehicles` that were seen longest, each in the coordinate it moved most in.
    """
    rows = np.diff(ground.starts)
    chosen = np.argsort(-rows, kind="stable")[:vehicles]
    chosen = chosen[rows[chosen] >= least_rows]
    if len(chosen) < 3:
        return start
    time_s, place, unit = [], [], []
    for i in chosen:
        a, b = ground.starts[i], ground.starts[i + 1]
        axis = int(np.abs(ground.metres[b - 1] - ground.metres[a]).argmax())
        time_s.append(ground.time_s[a:b])
        place.append(ground.metres[a:b, axis])
        unit.append(ground.unit_m[a:b, axis])
    starts = np.concatenate([[0], np.cumsum(rows[chosen])])
    times, places, units = (np.concatenate(each) for each in (time_s, place, unit))

    def unlikely(logs: Float64[np.ndarray, "4"]) -> float:
        said = np.append(np.exp(np.clip(logs, LOW, HIGH)), start.pull_s)
        prior = (((logs - np.log(TYPICAL)) / USUAL) ** 2 / 2).sum()
        return float(prior - kernels.likelihood(starts, times, places, units, said, GATE, FASTEST_MPS))

    begin = np.log([start.white, max(start.drift, 1e-3), start.drift_s, start.pull_mps2])
    simplex = begin + np.concatenate([np.zeros((1, 4)), np.diag([0.4, 0.8, 0.5, -0.8])])
    found = minimize(
        unlikely,
        begin,
        method="Nelder-Mead",
        options={"xatol": 0.03, "fatol": 0.3, "maxfev": 300, "initial_simplex": simplex},
    )
    white, drift, drift_s, pull = np.exp(np.clip(found.x, LOW, HIGH))
    return Noise(white=float(white), drift=float(drift), drift_s=float(drift_s), pull_mps2=float(pull))


TYPICAL = (0.02, 0.01, 0.7, 0.7)
USUAL = (2.0, 2.0, 0.35, 3.0)
"""What is usual of white, drift, drift_s, pull_mps2, and how far (in logarithms) they lie from it. A drift
that lasts as long as the drive cannot be told from driving faster, so it may last a second at most."""
LOW, HIGH = np.log([1e-3, 1e-4, 0.1, 2e-3]), np.log([0.3, 0.3, 1.0, 8.0])
"""Bounds of white, drift, drift_s, pull_mps2."""
