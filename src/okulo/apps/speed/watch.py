"""Is the camera still where it was? Speeds by hour of day, and the picture itself, against their history.

A camera that tilts makes all speeds a few percent larger or smaller, day and night; a jam makes them much
smaller for an hour or two, with the vehicles standing close. A camera that pans changes no speed: the
picture shows it (`shift`).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from jaxtyping import Float64

from okulo.core.errors import BadInput

DAYS = 14
"""Of history that says what is usual."""
SLACK, ALARM, CLIP = 0.5, 15.0, 4.0
"""Of the cumulative sum: k, h, and where a single hour's departure is cut off (all in its own noise)."""
JAM = 0.7
"""Slower than this share of what is usual is a jam: no tilt does that and leaves the road in view."""
LATEST = 5
"""Hours that say by how much: the first ones of a departure may have been before it."""
LEAST_DAYS = 5
WIDER = 1.5
"""The hours of one day are odd together (weather, a holiday): noise is taken so many times as large."""
FLOOR = 0.004
"""Speeds are never more usual than to this share."""


@dataclass(frozen=True)
class Alarm:
    """Something is not as it was."""

    at: datetime
    kind: str
    """`camera moved?` or `traffic jam?`"""
    ratio: float
    """Speeds now to speeds as usual at these hours."""
    since: datetime
    """The first hour of the departure."""
    evidence: str


@dataclass
class Watch:
    """Hears the median speed of each hour and says when it departs; memory holds the last days only.

    Median and spread of the same hour on earlier days say what is usual. The departure, in that noise and
    clipped, is summed up both ways (CUSUM, Page 1954): a small one that stays is found within a day, a single
    odd hour is not.
    """

    days: int = DAYS
    slack: float = SLACK
    alarm: float = ALARM
    clip: float = CLIP
    _past: dict[int, list[float]] = field(default_factory=lambda: {hour: [] for hour in range(24)})
    _noise: list[float] = field(default_factory=list)
    _up: float = 0.0
    _down: float = 0.0
    _begun: tuple[datetime | None, datetime | None] = (None, None)
    _ratios: list[tuple[datetime, float]] = field(default_factory=list)
    _jam_hours: int = 0
    _last: datetime | None = None

    def hear(self, at: datetime, speed: float, vehicles: int) -> Alarm | None:
        """Take in one hour's median speed; hours with fewer than 5 vehicles say nothing.

        An alarm tells of a departure once, then the sums begin anew.
        """
        if self._last is not None and at <= self._last:
            raise BadInput(
                "at", wanted=f"an hour after {self._last}", got=at, hint="the clock went backwards"
            )
        if not (np.isfinite(speed) and speed >= 0):
            raise BadInput("speed", wanted="a number ≥ 0", got=speed)
        self._last = at
        if vehicles < 5:
            return None
        past = self._past[at.hour]
        if len(past) < LEAST_DAYS:
            past.append(speed)
            return None
        usual, spread = _usual(past, self._pooled())
        ratio = speed / usual
        if ratio < JAM:
            return self._hear_jam(at, ratio, vehicles)
        self._jam_hours = 0
        past.append(speed)
        del past[: -self.days]
        self._noise.append(abs(ratio - 1))
        del self._noise[: -24 * self.days]
        return self._sum_up(at, float(np.clip((ratio - 1) / spread, -self.clip, self.clip)), ratio)

    def _pooled(self) -> float:
        """Relative noise over all hours; a median of few days knows little of its own."""
        return 1.4826 * float(np.median(self._noise)) if len(self._noise) >= 24 else 0.05

    def _hear_jam(self, at: datetime, ratio: float, vehicles: int) -> Alarm | None:
        self._jam_hours += 1
        if self._jam_hours != 1:
            return None
        evidence = (
            f"{vehicles} vehicles at {ratio:.0%} of the usual speed; a camera's tilt changes a few percent"
        )
        return Alarm(at, "traffic jam?", ratio, at, evidence)

    def _sum_up(self, at: datetime, z: float, ratio: float) -> Alarm | None:
        up, down = max(0.0, self._up + z - self.slack), max(0.0, self._down - z - self.slack)
        self._begun = (
            None if up == 0 else self._begun[0] or at,
            None if down == 0 else self._begun[1] or at,
        )
        self._up, self._down = up, down
        self._ratios = [*self._ratios[-72:], (at, ratio)]
        if max(up, down) < self.alarm:
            return None
        since = self._begun[0] if up >= down else self._begun[1]
        assert since is not None
        recent = [r for t, r in self._ratios if t >= since][-LATEST:]
        self._up = self._down = 0.0
        self._begun = (None, None)
        middle = float(np.median(recent))
        alike = 1.4826 * float(np.median(np.abs(np.array(recent) - middle)))
        evidence = (
            f"the last {len(recent)} hours lie {middle - 1:+.1%} off the usual speed, alike to ±{alike:.1%}"
        )
        return Alarm(at, "camera moved?", middle, since, evidence)


def _usual(past: list[float], pooled: float) -> tuple[float, float]:
    """Median of an hour of day, and its relative noise: its own blended with that of all hours."""
    values = np.array(past)
    usual = float(np.median(values))
    own = 1.4826 * float(np.median(np.abs(values / usual - 1)))
    few = 1.0 + 1.57 / len(values)  # the median itself is uncertain
    return usual, WIDER * max(float(np.sqrt((own**2 + 2 * pooled**2) / 3)), FLOOR) * float(np.sqrt(few))


def hourly(at: list[datetime], speed: Float64[np.ndarray, " n"]) -> list[tuple[datetime, float, int]]:
    """Median speed and number of vehicles of each hour that had any.

    >>> hourly([datetime(2026, 5, 1, 7, 10), datetime(2026, 5, 1, 7, 50)], np.array([40.0, 50.0]))
    [(datetime.datetime(2026, 5, 1, 7, 0), 45.0, 2)]
    """
    hours: dict[datetime, list[float]] = {}
    for when, each in zip(at, speed):
        hours.setdefault(when.replace(minute=0, second=0, microsecond=0), []).append(float(each))
    return [(hour, float(np.median(found)), len(found)) for hour, found in sorted(hours.items())]


def simulate_hours(
    days: int, rng: np.random.Generator, *, moved_at: int | None = None, factor: float = 1.0,
    jams: tuple[int, ...] = (), begin: datetime = datetime(2026, 5, 1),
) -> list[tuple[datetime, float, int]]:  # fmt: skip
    """Median speeds hour by hour: a daily rhythm, days that differ, noise, few vehicles at night.

    Args:
        moved_at: hour from which on speeds are `factor` times what they are.
        jams: hours that are in a jam.
    """
    made = []
    for hour in range(24 * days):
        of_day = hour % 24
        if of_day == 0:
            today = rng.normal(0, 0.006)
        rush = np.exp(-((of_day - 8) ** 2) / 4) + np.exp(-((of_day - 17) ** 2) / 5)
        vehicles = int(rng.poisson(15 + 250 * np.exp(-((of_day - 13) ** 2) / 40) + 150 * rush))
        usual = 78 - 12 * rush
        spread = 9.0 / np.sqrt(max(vehicles, 1)) * 1.25
        speed = usual * (1 + today) + rng.normal(0, spread)
        if hour in jams:
            speed *= rng.uniform(0.25, 0.55)
        if moved_at is not None and hour >= moved_at:
            speed *= factor
        made.append((begin + timedelta(hours=hour), float(speed), vehicles))
    return made
