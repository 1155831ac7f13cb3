"""The speeds of tracks on a calibrated road: the one who measures, without files."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from okulo.apps.speed.calibration import Calibration
from okulo.apps.speed.estimate import Means, Noise, Speeds, estimate, learn_noise
from okulo.apps.speed.ground import Ground, stand
from okulo.apps.speed.rule import rule_speeds
from okulo.core.nouns import Tracks


@dataclass(frozen=True)
class Measured:
    """All that was measured on tracks: rows on the road, and each vehicle."""

    ground: Ground
    speeds: Speeds
    means: Means
    rule: Float64[np.ndarray, " n"]
    noise: Noise
    learned: bool
    way_m: Float64[np.ndarray, " m"]
    """How far each vehicle went, from first to last."""


def measure(
    tracks: Tracks, calibration: Calibration, *, every: int = 10, average: int = 3, noise: Noise | None = None
) -> Measured:
    """Measure the speed of every track; the noise is learned of them unless it is given."""
    ground = stand(tracks, calibration)
    said = noise or learn_noise(ground)
    speeds, means = estimate(ground, calibration, said)
    first, last = ground.starts[:-1], ground.starts[1:] - 1
    way = np.linalg.norm(ground.metres[last] - ground.metres[first], axis=1)
    rule = rule_speeds(ground, every=every, average=average)
    return Measured(ground, speeds, means, rule, said, noise is None and said != Noise(), way)
