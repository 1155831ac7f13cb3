"""The report as PDF: a cover, then two groups a page."""

from pathlib import Path
from typing import Any

import numpy as np

from okulo.apps.series.drawings import limits
from okulo.apps.series.told import Band, Curve, Shown, Told
from okulo.evaluate.words import count, pct
from okulo.io.files import write_aside

MAIN, BAD, SOFT, BAND_COLOR, INK = "#0b6b5d", "#b23a2e", "#67625b", "#e3dfd5", "#1d1c1a"
PAPER = (8.27, 11.69)
A_PAGE = 2


def write_pdf(path: Path, told: Told) -> None:
    """Draw all pages."""
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    with write_aside(path) as aside, PdfPages(aside) as pages:
        figure = Figure(figsize=PAPER)
        _cover(figure, told)
        pages.savefig(figure)
        for first in range(0, len(told.groups), A_PAGE):
            figure = Figure(figsize=PAPER)
            for place, shown in enumerate(told.groups[first : first + A_PAGE]):
                _group(figure, told.band, shown, 0.53 - 0.48 * place)
            _key(figure)
            pages.savefig(figure)


def _cover(figure: Any, told: Told) -> None:
    report = told.report
    kept = report["series"] - report["excluded"]
    figure.text(
        0.09, 0.9, f"{len(report['groups'])} groups of recordings", fontsize=24, color=INK, weight="bold"
    )
    figure.text(0.09, 0.87, "unlike the normal ones, the most unlike first", fontsize=14, color=SOFT)
    lines = [
        ("source", str(told.imported.get("source", ""))),
        ("recordings", count(report["series"])),
        ("excluded", f"{count(report['excluded'])}  ({pct(report['excluded'] / report['series'])})"),
        ("normal", f"{count(report['normal'])}  ({pct(report['normal'] / max(kept, 1))} of the rest)"),
        ("in groups", count(sum(each["size"] for each in report["groups"]))),
        ("odd, in no group", count(report["odd"])),
    ]
    for place, (name, value) in enumerate(lines):
        figure.text(0.09, 0.81 - 0.026 * place, name, fontsize=11, color=SOFT)
        figure.text(0.36, 0.81 - 0.026 * place, value, fontsize=11, color=INK)
    figure.text(0.09, 0.62, "group", fontsize=9, color=SOFT)
    figure.text(0.17, 0.62, "recordings", fontsize=9, color=SOFT)
    figure.text(0.29, 0.62, "what sets it apart", fontsize=9, color=SOFT)
    for place, shown in enumerate(told.groups[:26]):
        y = 0.6 - 0.0205 * place
        figure.text(0.09, y, str(shown.group["group"]), fontsize=10, color=INK)
        figure.text(0.17, y, count(shown.group["size"]), fontsize=10, color=INK)
        named = f"{shown.name}: " if shown.name else ""
        figure.text(0.29, y, named + shown.words, fontsize=10, color=INK)
    left_out = "; ".join(f"{reason}: {count(n)}" for reason, n in list(told.reasons.items())[:3])
    others = sum(list(told.reasons.values())[3:])
    left_out += f"; other reasons: {count(others)}" if others else ""
    figure.text(0.09, 0.05, f"Left out – {left_out}" if left_out else "", fontsize=7.5, color=SOFT)


def _group(figure: Any, band: Band, shown: Shown, bottom: float) -> None:
    group = shown.group
    title = f"{group['group']}   {shown.name or shown.words[:1].upper() + shown.words[1:]}"
    figure.text(0.09, bottom + 0.415, title, fontsize=14, color=INK, weight="bold")
    how = f"{group['unlike']:.1f} spreads beyond normal"
    said = f"{count(group['size'])} recordings · {pct(group['share'], 2)} · {how}"
    figure.text(0.09, bottom + 0.396, said, fontsize=9, color=SOFT)
    axes = figure.add_axes((0.09, bottom + 0.17, 0.5, 0.21))
    _curves(axes, band, [*shown.extreme, *shown.typical])
    axes.set_xlabel("samples from the start of work", fontsize=8, color=SOFT)
    if group["traits"]:
        figure.text(0.93, bottom + 0.387, "spreads", fontsize=7, color=SOFT, ha="right")
    for place, trait in enumerate(group["traits"][:6]):
        y = bottom + 0.368 - 0.026 * place
        figure.text(0.63, y, trait["words"], fontsize=9, color=INK)
        figure.text(0.93, y, f"{trait['spreads']:+.1f}", fontsize=9, color=SOFT, ha="right")
    figure.text(0.63, bottom + 0.19, "name: ______________________", fontsize=10, color=SOFT)
    for place, curve in enumerate(shown.members[:6]):
        small = figure.add_axes((0.09 + 0.142 * place, bottom + 0.045, 0.125, 0.07))
        _curves(small, band, [curve])
        small.set(xticks=[], yticks=[])
        small.set_title(str(curve.id), fontsize=6.5, color=SOFT, pad=2)


def _key(figure: Any) -> None:
    """Say at the foot of a page what the lines are."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lines = [
        Patch(color=BAND_COLOR, label="middle 90 % of the normal"),
        Line2D([], [], color=MAIN, lw=1.1, label="typical of the group"),
        Line2D([], [], color=BAD, lw=0.9, ls=(0, (4, 2)), label="the most unlike of the group"),
    ]
    figure.legend(
        handles=lines, loc="lower left", bbox_to_anchor=(0.08, 0.015), ncols=3, frameon=False, fontsize=8,
        labelcolor=SOFT, handlelength=2.2,
    )  # fmt: skip


def _curves(axes: Any, band: Band, curves: list[Curve]) -> None:
    x, y = limits(band, curves)
    axes.fill_between(band.time, band.low, band.high, color=BAND_COLOR, linewidth=0)
    for curve in curves:
        far = curve.kind == "extreme"
        axes.plot(
            curve.time, np.asarray(curve.values, float), color=BAD if far else MAIN, lw=0.9 if far else 1.1,
            ls=(0, (4, 2)) if far else "-",
        )  # fmt: skip
    axes.set(xlim=x, ylim=y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c9c4ba")
    axes.tick_params(labelsize=7, colors=SOFT, length=2)
