"""Curves as inline SVG whose colours are the page's classes, so that dark mode and print work."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from okulo.apps.series.quality import Look
from okulo.apps.series.told import Band, Curve

WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 10, 34
SMALL_WIDTH, SMALL_HEIGHT = 132, 62


class Frame:
    """Where time and value lie on a chart."""

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], size: tuple[int, int], margin: Sequence[int]
    ) -> None:
        left, right, top, bottom = margin
        self.low_x, self.low_y = x[0], y[0]
        self.by_x = (size[0] - left - right) / max(x[1] - x[0], 1e-9)
        self.by_y = (size[1] - top - bottom) / max(y[1] - y[0], 1e-9)
        self.left, self.base = left, size[1] - bottom

    def x(self, time: float) -> float:
        """Across."""
        return round(self.left + (time - self.low_x) * self.by_x, 1)

    def y(self, value: float) -> float:
        """Up."""
        return round(self.base - (value - self.low_y) * self.by_y, 1)

    def line(self, time: np.ndarray, values: np.ndarray, kind: str) -> str:
        """A polyline, broken where values are missing."""
        parts: list[list[str]] = [[]]
        for t, v in zip(time, values):
            if np.isfinite(v):
                parts[-1].append(f"{self.x(float(t))},{self.y(float(v))}")
            elif parts[-1]:
                parts.append([])
        return "".join(f'<polyline class="{kind}" points="{" ".join(p)}"/>' for p in parts if p)

    def area(self, band: Band) -> str:
        """The band between its lower and upper edge."""
        there = [f"{self.x(float(t))},{self.y(float(v))}" for t, v in zip(band.time, band.high)]
        back = [f"{self.x(float(t))},{self.y(float(v))}" for t, v in zip(band.time[::-1], band.low[::-1])]
        return f'<polygon class="band" points="{" ".join(there + back)}"/>' if there else ""


def limits(band: Band, curves: Sequence[Curve]) -> tuple[tuple[float, float], tuple[float, float]]:
    """What a chart must hold: time from the start of work, and values."""
    values = [each.values[np.isfinite(each.values)] for each in curves]
    low = min([*(float(v.min()) for v in values if len(v)), *band.low[:1], 0.0])
    high = max(
        [*(float(v.max()) for v in values if len(v)), *([band.high.max()] if len(band.high) else [1e-9])]
    )
    last = max([*(float(each.time[-1]) for each in curves if len(each.values)), 20.0])
    first = min([*(float(each.time[0]) for each in curves if len(each.values)), -8.0])
    pad = 0.04 * (high - low)
    return (max(first, -30.0), last), (low - pad, high + pad)


def group_chart(band: Band, typical: Sequence[Curve], extreme: Sequence[Curve], title: str) -> Markup:
    """Typical and extreme members over the band of the normal, all from the start of work."""
    curves = [*extreme, *typical]
    x, y = limits(band, curves)
    frame = Frame(x, y, (WIDTH, HEIGHT), (LEFT, RIGHT, TOP, BOTTOM))
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="chart"><title>{escape(title)}</title>']
    for value in ticks(*y):
        at = frame.y(value)
        parts.append(f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{at + 4}" text-anchor="end">{value:g}</text>')
    for value in ticks(*x):
        at = frame.x(value)
        parts.append(
            f'<text class="tick" x="{at}" y="{frame.base + 16}" text-anchor="middle">{value:g}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    at_x = f'x="{middle}" y="{HEIGHT - 3}" text-anchor="middle"'
    parts.append(f'<text class="axis" {at_x}>samples from the start of work</text>')
    clip = _inside(band, x)
    parts += [frame.area(clip), frame.line(clip.time, clip.middle, "usual")]
    parts += [frame.line(each.time, each.values, each.kind) for each in curves]
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704  # every word in it is escaped


def member_chart(band: Band, curve: Curve) -> Markup:
    """One member, small, over the band."""
    x, y = limits(band, [curve])
    frame = Frame(x, y, (SMALL_WIDTH, SMALL_HEIGHT), (2, 2, 3, 3))
    parts = [
        f'<svg viewBox="0 0 {SMALL_WIDTH} {SMALL_HEIGHT}" role="img" class="small"><title>{curve.id}</title>',
        frame.area(_inside(band, x)),
        frame.line(curve.time, curve.values, "typical"),
    ]
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704  # numbers only


def _inside(band: Band, x: tuple[float, float]) -> Band:
    rows = (band.time >= x[0]) & (band.time <= x[1])
    return Band(band.time[rows], band.low[rows], band.middle[rows], band.high[rows])


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two values.

    >>> ticks(-0.2, 4.3)
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    span = max(high - low, 1e-12)
    step = 10 ** np.floor(np.log10(span / most))
    step = next(step * k for k in (1, 2, 5, 10) if span / (step * k) <= most)
    first = np.ceil(low / step)
    return [float(round(step * k, 10)) + 0.0 for k in np.arange(first, np.floor(high / step) + 1)]


def look_chart(look: Look) -> Markup:
    """Elbow, silhouette with error bars and stability, for every k tried."""
    size, margin = (WIDTH, 220), (LEFT, RIGHT, TOP, BOTTOM)
    k = np.array([each.k for each in look.tries], float)
    if len(k) < 2:
        return Markup()
    frame = Frame((float(np.log(k[0])), float(np.log(k[-1]))), (0, 1), size, margin)
    inertia = np.array([each.inertia for each in look.tries])
    parts = [f'<svg viewBox="0 0 {size[0]} {size[1]}" role="img" class="chart"><title>k-means by k</title>']
    for value in (0, 0.25, 0.5, 0.75, 1):
        at = frame.y(value)
        parts.append(f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{at + 4}" text-anchor="end">{value:g}</text>')
    for value in k:
        at = frame.x(float(np.log(value)))
        parts.append(
            f'<text class="tick" x="{at}" y="{frame.base + 16}" text-anchor="middle">{value:g}</text>'
        )
    at = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text class="axis" x="{at}" y="{size[1] - 3}" text-anchor="middle">clusters of plain k-means</text>'
    )
    parts.append(frame.line(np.log(k), inertia / max(inertia.max(), 1e-12), "elbow"))
    parts.append(frame.line(np.log(k), np.array([each.stability for each in look.tries]), "stable"))
    parts.append(frame.line(np.log(k), np.array([each.silhouette for each in look.tries]), "line"))
    for each in look.tries:
        if np.isfinite(each.silhouette):
            x = frame.x(float(np.log(each.k)))
            low, high = (frame.y(each.silhouette + sign * 2 * each.silhouette_error) for sign in (-1, 1))
            parts.append(f'<path class="whisker" d="M{x} {low}V{high}"/>')
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704  # numbers only
