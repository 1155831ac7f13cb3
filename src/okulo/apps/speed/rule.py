"""Practitioners' rule: distance over time every n frames of the vehicle's own, a moving average of k."""

import numpy as np
from jaxtyping import Float64

from okulo.apps.speed.ground import Ground
from okulo.core.errors import BadInput


def rule_speeds(ground: Ground, *, every: int = 10, average: int = 3) -> Float64[np.ndarray, " n"]:
    """Speed in m/s by the rule, at each observation; NaN before a vehicle's first.

    Frames are counted from each vehicle's own first one, times are real. Between two measurements the last
    one stands.

    >>> y = np.array([0.0, 9, 20, 31, 44])
    >>> ground = Ground(np.arange(5), np.ones(5, np.int64), np.arange(5.0), np.zeros((5, 2)),
    ...                 np.stack([np.zeros(5), y], axis=1), np.ones((5, 2)), np.zeros(5), np.array([0, 5]))
    >>> rule_speeds(ground, every=2, average=2).tolist()
    [nan, nan, 10.0, 10.0, 11.0]
    """
    if every < 1 or average < 1:
        raise BadInput("every, average", wanted="1 or more", got=f"{every}, {average}")
    made = np.full(len(ground), np.nan)
    for a, b in zip(ground.starts[:-1], ground.starts[1:]):
        at = np.arange(a, b, every)
        if len(at) < 2:
            continue
        speed = np.linalg.norm(np.diff(ground.metres[at], axis=0), axis=1) / np.diff(ground.time_s[at])
        total = np.concatenate([[0.0], np.cumsum(speed)])
        first = np.maximum(np.arange(1, len(at)) - average, 0)
        mean = (total[1:] - total[first]) / (np.arange(1, len(at)) - first)
        made[at[1] : b] = np.repeat(mean, np.diff(np.append(at[1:], b)))
    return made
