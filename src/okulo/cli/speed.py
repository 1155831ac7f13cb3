"""`okulo speed`: calibrate a camera, measure its vehicles, watch whether it still stands as it did."""

import sys
from collections.abc import Sequence
from pathlib import Path

import cyclopts
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.apps.speed import calibrate as calibrating
from okulo.apps.speed import command as measuring
from okulo.apps.speed import watching
from okulo.apps.speed.params import WORDS, SpeedParams, SpeedReport
from okulo.cli.command import command
from okulo.core.protocols import Answer, Image, Predictor, Progress


def run_measure(params: SpeedParams, progress: Progress) -> SpeedReport:
    """Measure with a model file as the detector, if one is given."""
    return measuring.run(params, progress, detector=open_detector)


def open_detector(path: Path) -> tuple[Predictor[Image, Answer], Sequence[str]]:
    """Load a detector and the names of its classes."""
    from okulo.core.errors import BadInput
    from okulo.runtime.modelfile import load

    model = load(path)
    if not {"boxes", "scores", "labels"} <= set(model.outputs) and model.info.task != "detect":
        raise BadInput(
            str(path), "finds no boxes", hint="a detector is needed: `okulo convert darknet` makes one"
        )
    return model, model.info.classes


def show_measure(report: SpeedReport, console: Console) -> None:
    """Say how many were measured and how fast they were."""
    unit = WORDS[report.unit]
    broken = f" ({report.broken_frames:,} could not be decoded)" if report.broken_frames else ""
    console.print(
        f"{report.frames:,} frames{broken}, {report.detections:,} detections, {report.tracks:,} tracks"
    )
    left = [
        f"{count:,} {what}"
        for count, what in ((report.once, "seen once"), (report.short, "hardly moved"))
        if count
    ]
    aside = f" (left out: {', '.join(left)})" if left else ""
    console.print(f"[bold]{report.vehicles:,}[/bold] vehicles measured{aside}")
    if report.median is not None and report.half_width is not None:
        console.print(
            f"median {report.median:.1f} {unit}, from {report.slowest:.1f} to {report.fastest:.1f}; "
            f"each is known to ± {report.half_width:.1f} {unit} (90 %)"
        )
    if report.hint:
        console.print(f"[yellow]{escape(report.hint)}[/yellow]")
    console.print(f"{report.seconds:.1f} s", style="dim")
    for path in report.files:
        console.print(f"  {escape(str(path))}", soft_wrap=True)


def run_calibrate(params: calibrating.CalibrateParams, progress: Progress) -> calibrating.CalibrateReport:
    """Take the six options, or open the page."""

    def page(desk: calibrating.Desk) -> None:
        from okulo.core.errors import need

        need("uvicorn", extra="serve", verb="the page of okulo speed calibrate")
        from okulo.io.images import encode_png
        from okulo.web.calibrate.page import serve_page

        serve_page(
            encode_png(desk.image), desk.start, desk.check, desk.save, host=params.host, port=params.port,
            open_browser=params.open, up=say,
        )  # fmt: skip

    return calibrating.run(params, progress, page=page)


def say(url: str) -> None:
    """Print the address; it may hold the token."""
    sys.stderr.write(f"Mark the rectangle and save; Ctrl+C ends the page.\n{url}\n")


def show_calibrate(report: calibrating.CalibrateReport, console: Console) -> None:
    """Say what was marked, and how far it is to be trusted."""
    if not report.saved:
        console.print(f"nothing was saved: there is no {escape(str(report.file))}")
        return
    console.print(
        f"{escape(str(report.file))}: {report.width_m:g} × {report.length_m:g} m by {report.points} points"
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("a pixel at the far side is", f"{report.far_m_a_px:.2f} m")
    table.add_row("marking makes speeds uncertain by", f"± {report.click_share or 0:.1%}")
    if report.error_px is not None:
        table.add_row("points lie off the plane by", f"{report.error_px:.1f} px")
    console.print(table)
    if report.grid:
        console.print(f"  {escape(str(report.grid))}", soft_wrap=True)


def show_watch(report: watching.WatchReport, console: Console) -> None:
    """Say what departed, and by what it is known."""
    if report.hours:
        console.print(f"{report.hours:,} hours from {report.first} to {report.last}")
    for alarm in report.alarms:
        console.print(
            f"[bold red]{alarm.kind}[/bold red] {alarm.at}, since {alarm.since}: {escape(alarm.evidence)}"
        )
    if report.hours and not report.alarms:
        console.print("speeds are as usual")
    if report.frames:
        unsure = f", {report.unsure:,} of them too dark or covered" if report.unsure else ""
        console.print(f"{report.frames:,} frames held against the reference{unsure}")
    if report.move is not None:
        console.print(
            f"[bold red]camera moved[/bold red], sure at {report.move_at_s:.1f} s: the picture lies "
            f"{report.move.right_px:+.1f} px to the right, {report.move.down_px:+.1f} px down; calibrate anew"
        )
    elif report.frames:
        console.print("the camera stands as it did")


speed = cyclopts.App(name="speed", help="Measure the speed of every vehicle of a fixed camera's video.")
speed.default(command(SpeedParams, run_measure, show_measure))
speed.command(
    command(calibrating.CalibrateParams, run_calibrate, show_calibrate),
    name="calibrate",
    help="Mark a rectangle of known size on the road, on a page or by six options.",
)
speed.command(
    command(watching.WatchParams, watching.run, show_watch),
    name="watch",
    help="Say whether the camera moved, or traffic was jammed, by speeds and by the picture.",
)
