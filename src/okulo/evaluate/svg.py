"""Charts as inline SVG whose colours are the page's (classes, so that dark mode and print work)."""

from collections.abc import Sequence
from html import escape

import numpy as np
from markupsafe import Markup

from okulo.metrics.calibration import Reliability
from okulo.metrics.intervals import wilson
from okulo.metrics.reject import RejectCurve

WIDTH, HEIGHT = 440, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 46
NUMBERED = 12
"""Up to so many classes, the confusion matrix has its counts written in."""
LARGEST = 150
"""With more classes it is not drawn: the list of confusions says more."""


def place_x(share: float) -> float:
    """Where a share lies across the chart, in its units."""
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def place_y(share: float) -> float:
    """Where a share lies up the chart."""
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _chart(title: str, inside: Sequence[str], x_label: str, y_label: str, *, percent_x: bool) -> Markup:
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="chart"><title>{escape(title)}</title>']
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = place_x(tick), place_y(tick)
        name = f"{tick:.0%}".replace("%", " %")
        parts.append(f'<path class="grid" d="M{x} {place_y(0)}V{place_y(1)}M{place_x(0)} {y}H{place_x(1)}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{name}</text>')
        below = name if percent_x else f"{tick:g}"
        last = tick == 1 and percent_x  # "100 %" would not fit centred
        anchor, shift = ("end", RIGHT) if last else ("middle", 0)
        parts.append(
            f'<text class="tick" x="{x + shift}" y="{place_y(0) + 18}" text-anchor="{anchor}">{below}</text>'
        )
    middle = place_x(0.5)
    parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{x_label}</text>')
    parts.append(
        f'<text class="axis" transform="translate(11 {place_y(0.5)}) rotate(-90)" text-anchor="middle">'
        f"{y_label}</text>"
    )
    return Markup("".join([*parts, *inside, "</svg>"]))  # noqa: S704  # every name in it is escaped


def _line(xs: Sequence[float], ys: Sequence[float], kind: str) -> str:
    points = " ".join(f"{place_x(float(x))},{place_y(float(y))}" for x, y in zip(xs, ys))
    return f'<polyline class="{kind}" points="{points}"/>'


def trade_chart(curve: RejectCurve, refused: float | None, errors_kept: float | None) -> Markup:
    """Share of errors still given over the share of answers refused; the dot is the threshold."""
    xs, ys = [*(1 - curve.kept), 1.0], [*curve.errors_kept, 0.0]
    inside = [_line([0, 1], [1, 0], "chance"), _line(xs, ys, "line")]
    inside.append(f'<text class="note" x="{place_x(0.62)}" y="{place_y(0.43)}">refusing at random</text>')
    if refused is not None and errors_kept is not None:
        x, y = place_x(refused), place_y(errors_kept)
        inside.append(f'<path class="cross" id="trade-cross" d="M{x} {place_y(0)}V{y}H{place_x(0)}"/>')
        inside.append(f'<circle class="dot" id="trade-dot" cx="{x}" cy="{y}" r="5.5"/>')
    title = "Errors still given, for every share of answers refused"
    return _chart(title, inside, "answers refused", "errors still given", percent_x=True)


def threshold_chart(curve: RejectCurve, threshold: float | None) -> Markup:
    """Shares of answers and of errors kept, over the threshold."""
    xs = [0.0, *curve.threshold, *curve.threshold[-1:], 1.0]
    steps = [
        _line(xs, [1.0, *values, 0.0, 0.0], kind)
        for values, kind in ((curve.kept, "line"), (curve.errors_kept, "line bad"))
    ]
    if threshold is not None:
        x = place_x(threshold)
        steps.append(f'<path class="cross" id="at-cross" d="M{x} {place_y(0)}V{place_y(1)}"/>')
    title = "Answers kept and errors kept, for every threshold"
    return _chart(title, steps, "threshold", "share kept", percent_x=False)


def reliability_chart(table: Reliability) -> Markup:
    """Accuracy over confidence with 95 % intervals, and below how many answers each bin holds."""
    inside = [_line([0, 1], [0, 1], "chance")]
    inside.append(f'<text class="note" x="{place_x(0.03)}" y="{place_y(0.93)}">says too little</text>')
    inside.append(
        f'<text class="note" x="{place_x(0.97)}" y="{place_y(0.26)}" text-anchor="end">claims too much</text>'
    )
    most = max(int(table.count.max()), 1)
    used = np.flatnonzero(table.count)
    for i in used:
        left, right = place_x(float(table.low[i])), place_x(float(table.high[i]))
        top = place_y(0.18 * float(table.count[i]) / most)
        inside.append(
            f'<rect class="mass" x="{left + 1}" y="{top}" width="{max(right - left - 2, 1):.1f}" '
            f'height="{place_y(0) - top:.1f}"><title>{int(table.count[i]):,} answers</title></rect>'
        )
    inside.append(_line(table.confidence[used].tolist(), table.accuracy[used].tolist(), "line"))
    for i in used:
        x, y = place_x(float(table.confidence[i])), place_y(float(table.accuracy[i]))
        low, high = wilson(round(float(table.accuracy[i] * table.count[i])), int(table.count[i]))
        inside.append(f'<path class="whisker" d="M{x} {place_y(low)}V{place_y(high)}"/>')
        inside.append(
            f'<circle class="point" cx="{x}" cy="{y}" r="3.5"><title>claimed {table.confidence[i]:.1%}, '
            f"right {table.accuracy[i]:.1%} of {int(table.count[i]):,}</title></circle>"
        )
    title = "Reliability: how often answers of a confidence are right"
    return _chart(title, inside, "confidence claimed", "answers right", percent_x=True)


def short(name: str, most: int = 16) -> str:
    """Cut a name for a label.

    >>> short("a very long class name indeed")
    'a very long cla…'
    """
    return name if len(name) <= most else name[: most - 1] + "…"


def confusion_chart(counts: np.ndarray, classes: Sequence[str]) -> Markup | None:
    """The confusion matrix, coloured by share of the row; None for too many classes to draw."""
    k = len(classes)
    if k > LARGEST:
        return None
    cell = 46 if k <= NUMBERED else max(9, min(26, 920 // k))
    size = 12 if k <= NUMBERED else max(8, min(11, cell - 1))
    margin = max(len(short(name)) for name in classes) * size * 0.62 + 14
    whole = margin + k * cell + 4
    parts = [
        f'<svg viewBox="0 0 {whole:.0f} {whole:.0f}" width="{whole:.0f}" height="{whole:.0f}" role="img" '
        f'class="matrix" style="font-size:{size}px"><title>Confusion: label by row, answer by column</title>'
    ]
    for i, name in enumerate(classes):
        at = margin + (i + 0.5) * cell
        said = escape(short(name))
        parts.append(f'<text x="{margin - 7:.1f}" y="{at + size * 0.35:.1f}" text-anchor="end">{said}</text>')
        parts.append(
            f'<text transform="translate({at + size * 0.35:.1f} {margin - 7:.1f}) rotate(-90)">{said}</text>'
        )
    rows = counts.sum(axis=1)
    for i, j in zip(*np.nonzero(counts)):
        share = float(counts[i, j] / rows[i])
        parts.append(_cell(int(i), int(j), int(counts[i, j]), share, classes, margin, cell))
    parts.append(
        f'<rect class="frame" x="{margin:.1f}" y="{margin:.1f}" width="{k * cell}" height="{k * cell}"/>'
    )
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704  # every name in it is escaped


def _cell(i: int, j: int, count: int, share: float, classes: Sequence[str], margin: float, cell: int) -> str:
    right = i == j
    strength = max(0.07, share if right else min(1.0, (share * 2.5) ** 0.5))
    x, y = margin + j * cell, margin + i * cell
    gap = 1 if cell > 12 else 0
    verdict = "right" if right else f"taken for {classes[j]}"
    tip = escape(f"{classes[i]}: {count:,} {verdict} ({share:.1%})")
    drawn = (
        f'<rect class="{"good" if right else "wrong"}" x="{x + gap:.1f}" y="{y + gap:.1f}" '
        f'width="{cell - 2 * gap}" height="{cell - 2 * gap}" fill-opacity="{strength:.2f}">'
        f"<title>{tip}</title></rect>"
    )
    if len(classes) <= NUMBERED:
        tone = "on" if strength > 0.55 else "off"
        drawn += (
            f'<text class="{tone}" x="{x + cell / 2:.1f}" y="{y + cell / 2 + 4.2:.1f}" '
            f'text-anchor="middle">{count}</text>'
        )
    return drawn
