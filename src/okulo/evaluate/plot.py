"""The reject curve as a PNG."""

from pathlib import Path

from okulo.evaluate.figures import Effect
from okulo.evaluate.words import num, pct
from okulo.io.files import write_aside
from okulo.metrics.reject import RejectCurve

MAIN, BAD, SOFT = "#0b6b5d", "#b23a2e", "#67625b"


def plot_curve(path: Path, curve: RejectCurve, chosen: Effect) -> None:
    """Draw shares of answers and errors kept over the threshold, the chosen one marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    xs = [0.0, *curve.threshold]
    axes.step(xs, [1.0, *curve.kept], where="pre", color=MAIN, linewidth=2, label="answers kept")
    if chosen.errors_kept is not None:
        axes.step(
            xs,
            [1.0, *curve.errors_kept],
            where="pre",
            color=BAD,
            linewidth=2,
            linestyle="--",
            label="errors kept",
        )
    axes.axvline(chosen.threshold, color=SOFT, linewidth=1, linestyle=":")
    said = f"threshold {num(chosen.threshold)}: {pct(1 - chosen.kept)} of the answers refused"
    if chosen.errors_kept is not None:
        said += f", {pct(1 - chosen.errors_kept)} of the errors removed"
    axes.set_title(said, loc="left", fontsize=11)
    axes.set(xlabel="threshold", ylabel="share kept", xlim=(0, 1), ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    with write_aside(path) as aside:
        figure.savefig(aside, format="png")
