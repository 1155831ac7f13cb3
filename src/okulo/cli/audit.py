"""`okulo audit`: a queue of labels and pictures to look at again."""

import shlex

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from okulo.cli.command import command
from okulo.core.errors import need
from okulo.core.protocols import Progress, silent
from okulo.curate.audit_labels import KINDS, AuditParams, AuditReport, run

ENOUGH = 0.99
"""Depths of the queue that bring no more are not shown."""


def show(report: AuditReport, console: Console) -> None:
    """Print how many labels may be wrong, what looking brings, what was found, and what to do next."""
    console.print(
        Text(f"{report.judged:,} of {report.items:,} labels judged by {report.asked}", style="bold"),
        soft_wrap=True,
    )
    estimate = report.estimate
    basis = f"fitted to {report.calibrated:,} verdicts" if report.calibrated else "before any verdict"
    console.print(
        f"wrong labels: about {estimate.wrong:,.0f} ({estimate.per_cent()[0]:.1f} %), "
        f"between {estimate.low:,.0f} and {estimate.high:,.0f}; {basis}",
        soft_wrap=True,
    )
    console.print(_expected(report))
    if report.top:
        console.print(_top(report))
    if report.splits:
        said = ", ".join(f"{split} {count:,}" for split, count in report.splits.items())
        console.print(f"doubted labels by split: {said}")
    console.print(_kinds(report))
    for path in (report.output, report.findings_file):
        console.print(Text(f"wrote {path}"), soft_wrap=True)
    console.print(f"next: okulo review {shlex.quote(str(report.output))}", markup=False, soft_wrap=True)


def _expected(report: AuditReport) -> Table:
    table = Table(
        Column("look at the first", justify="right"),
        Column("wrong ones expected", justify="right"),
        Column("of all", justify="right"),
        box=None,
        pad_edge=False,
    )
    for depth, found, share in report.expected:
        table.add_row(f"{depth:,}", f"{found:,.0f}", f"{share:.0%}")
        if share >= ENOUGH:
            break
    return table


def _top(report: AuditReport) -> Table:
    table = Table(
        Column("first of the queue", no_wrap=True, overflow="ellipsis"),
        "label",
        "suggested",
        Column("severity", justify="right"),
        box=None,
        pad_edge=False,
    )
    for path, label, suggested, severity in report.top[:5]:
        table.add_row(Text(path), Text(label or ""), Text(suggested), f"{severity:.2f}")
    return table


def _kinds(report: AuditReport) -> Table:
    table = Table("finding", Column("count", justify="right"), "what it means", box=None, pad_edge=False)
    for kind, about in KINDS.items():
        if kind in report.kinds:
            table.add_row(kind, f"{report.kinds[kind]:,}", about)
    return table


def _run(params: AuditParams, progress: Progress = silent) -> AuditReport:
    if not params.deep:
        return run(params, progress)
    need("torch", extra="train", verb="okulo audit --deep")
    from okulo.cli.retrain import retrainer

    return run(params, progress, retrainer(epochs=params.epochs, seed=params.seed))


audit = command(AuditParams, _run, show)
"""The verb."""
