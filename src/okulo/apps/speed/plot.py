"""Plots of what was measured."""

from pathlib import Path

import numpy as np

from okulo.apps.speed.measure import Measured
from okulo.apps.speed.params import UNITS, WORDS
from okulo.io.files import write_aside


def draw_speeds(made: Measured, good: np.ndarray, unit: str, path: Path) -> None:
    """Draw each vehicle's speed over time with its interval, and how the speeds are spread."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ground, factor = made.ground, UNITS[unit]
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    over, spread = figure.subplots(1, 2, width_ratios=(2.2, 1))
    for i in good:
        part = slice(ground.starts[i], ground.starts[i + 1])
        speed, sd = made.speeds.smooth[part] * factor, made.speeds.smooth_sd[part] * factor
        (line,) = over.plot(ground.time_s[part], speed, linewidth=1.2)
        over.fill_between(
            ground.time_s[part], speed - 1.645 * sd, speed + 1.645 * sd, color=line.get_color(), alpha=0.15
        )
    over.set(
        xlabel="time, s",
        ylabel=WORDS[unit],
        title=f"{len(good)} vehicles, with 90 % intervals",
        ylim=(0, None),
    )
    speeds = made.means.speed[good] * factor
    if len(speeds):
        low, high = np.floor(speeds.min() / 5) * 5, np.ceil(speeds.max() / 5) * 5 + 5
        spread.hist(speeds, bins=np.arange(low, high + 1e-9, 5), color="#0d9488")
        middle = float(np.median(speeds))
        spread.axvline(middle, color="#111", linewidth=1)
        spread.set_title(f"mean speeds, median {middle:.1f} {WORDS[unit]}")
    spread.set(xlabel=WORDS[unit], ylabel="vehicles")
    for axes in (over, spread):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
    with write_aside(path) as aside:
        figure.savefig(aside, dpi=110, format="png")
