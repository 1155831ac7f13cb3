"""`okulo bench`."""

import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.cli.command import command
from okulo.core.protocols import Progress
from okulo.runtime.bench import BenchParams, BenchReport, Contest, run

SLOWEST = 12


def measure(params: BenchParams, progress: Progress) -> BenchReport:
    """Measure each contender in a child process."""
    return run(params, [sys.executable, "-m", "okulo.cli.bench_child"], progress)


def show(report: BenchReport, console: Console) -> None:
    """Print the speeds, where the time of a picture goes, and — where asked — the slowest layers."""
    console.print(_speeds(report.contests))
    for contest in report.contests:
        stages = contest.stages
        console.print(
            f"{escape(_name(contest))}: one picture takes {stages.decode_ms:.2f} ms to decode, "
            f"{stages.prepare_ms:.2f} to prepare, {stages.network_ms:.2f} in the network ({stages.on})"
        )
        if contest.accuracy is not None:
            console.print(f"  [bold]{contest.accuracy:.2%}[/bold] right ({contest.accuracy_on})")
        if contest.agreement is not None:
            console.print(f"  within {contest.agreement:.1e} of ONNX Runtime on a probe")
        if contest.layers:
            console.print(_layers(contest))
    busy = " [yellow](other work was running)[/yellow]" if report.load > 0.5 else ""
    console.print(f"{report.cores} cores, load {report.load:.1f} before measuring{busy}")
    if report.plot:
        console.print(f"Chart: {escape(str(report.plot))}", soft_wrap=True)


def _name(contest: Contest) -> str:
    return f"{contest.model}, {contest.engine}, {contest.threads} threads"


def _speeds(contests: tuple[Contest, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    heads = ("model", "engine × threads", "batch", "p50 ms", "p90", "p99", "pictures/s", "CPU ms each")
    for head in heads:
        left = head == "model" or head.startswith("engine")
        table.add_column(head, justify="left" if left else "right", no_wrap=head != "model")
    for contest in contests:
        for speed in contest.speeds:
            table.add_row(
                escape(contest.model),
                f"{contest.engine} × {contest.threads}",
                str(speed.batch),
                *(f"{value:.2f}" for value in (speed.p50_ms, speed.p90_ms, speed.p99_ms)),
                f"[bold]{speed.per_second:,.0f}[/bold]",
                f"{speed.cpu_ms:.3f}",
            )
    return table


def _layers(contest: Contest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    for head in ("slowest layers", "kind", "ms", "share"):
        table.add_column(head, justify="right" if head in ("ms", "share") else "left")
    for layer in contest.layers[:SLOWEST]:
        table.add_row(escape(layer.name), layer.kind, f"{layer.ms:.3f}", f"{layer.share:.1%}")
    return table


bench = command(BenchParams, measure, show)
