"""`okulo series …`: a million short recordings, from a database to named groups of faults."""

from typing import Any

import cyclopts
from rich.console import Console
from rich.table import Table

from okulo.apps.series.bring import ImportParams, ImportReport
from okulo.apps.series.bring import run as run_import
from okulo.apps.series.clean import CleanParams, CleanReport
from okulo.apps.series.clean import run as run_clean
from okulo.apps.series.cluster import ClusterParams, ClusterReport
from okulo.apps.series.cluster import run as run_cluster
from okulo.apps.series.features import FeaturesParams, FeaturesReport
from okulo.apps.series.features import run as run_features
from okulo.apps.series.label import LabelParams, LabelReport
from okulo.apps.series.label import run as run_label
from okulo.apps.series.report import ReportParams, ReportReport
from okulo.apps.series.report import run as run_report
from okulo.apps.series.sample import SimulateParams, SimulateReport
from okulo.apps.series.sample import run as run_simulate
from okulo.apps.series.watch import WatchParams, WatchReport
from okulo.apps.series.watch import run as run_watch
from okulo.apps.series.whole import AllParams, AllReport
from okulo.apps.series.whole import run as run_all
from okulo.cli.command import command


def _table(*heads: str, words: int = 1) -> Table:
    """A table whose first columns are words and whose others are numbers."""
    made = Table(box=None, pad_edge=False)
    for place, head in enumerate(heads):
        made.add_column(head, justify="left" if place < words else "right")
    return made


def show_import(report: ImportReport, console: Console, *, then: bool = True) -> None:
    """Say what has come, and what was wrong with it."""
    went_on = f" ({report.resumed_from:,} had come before)" if report.resumed_from else ""
    console.print(
        f"{report.folder}: {report.series:,} recordings from {report.source}{went_on}", soft_wrap=True
    )
    again = f", the connection was opened again {report.reconnected} times" if report.reconnected else ""
    console.print(f"{report.values:,} values in {report.seconds:.1f} s{again}")
    if report.findings:
        table = _table("found", "recordings")
        for kind, count in report.findings.items():
            table.add_row(kind, f"{count:,}")
        console.print(table)
    if then:
        console.print(f"next: okulo series features {report.folder}", soft_wrap=True)


def show_features(report: FeaturesReport, console: Console) -> None:
    """Say where the features are, or what they are."""
    if report.explained:
        table = _table("feature", "what it says", "formula", "source", words=4)
        for each in report.features:
            unit = f" ({each.unit})" if each.unit else ""
            table.add_row(each.name, each.says + unit, each.formula, each.source)
        console.print(table)
        return
    console.print(
        f"{report.file}: {len(report.features)} features of {report.series:,} recordings", soft_wrap=True
    )
    if report.undefined:
        console.print(f"{report.undefined:,} recordings have too few values to say anything")
    console.print(f"{report.seconds:.1f} s")


def show_clean(report: CleanReport, console: Console) -> None:
    """Say how many were excluded, and why."""
    gone = report.series - report.kept
    console.print(f"{report.kept:,} of {report.series:,} recordings kept, {gone:,} excluded")
    if report.reasons:
        table = _table("reason", "recordings")
        for reason, count in report.reasons.items():
            table.add_row(reason, f"{count:,}")
        console.print(table)
    console.print(
        f"reasons: {report.file}" + (f", picture: {report.plot}" if report.plot else ""), soft_wrap=True
    )


def show_cluster(report: ClusterReport, console: Console) -> None:
    """Print the groups, the most unlike first."""
    console.print(
        f"{report.series:,} recordings: {report.excluded:,} excluded, {report.normal:,} normal, "
        f"{sum(g.size for g in report.groups):,} in {len(report.groups)} groups, {report.odd:,} odd ones"
    )
    if not report.groups:
        console.print(
            f"no groups: nothing that departs from the normal is frequent\n{report.file}", soft_wrap=True
        )
        return
    table = _table("group", "recordings", "share", "unlike", "own at k", "what sets it apart", words=0)
    table.columns[-1].justify = "left"
    for each in report.groups:
        words = "; ".join(trait.words for trait in each.traits[:3])
        own = str(each.parts_at) if each.parts_at else "–"
        share = f"{100 * each.share:.2g} %"
        table.add_row(str(each.group), f"{each.size:,}", share, f"{each.unlike:.1f}", own, words)
    console.print(table)
    if report.look:
        look = report.look
        console.print(
            f"silhouette {look.silhouette:.2f} ± {look.silhouette_error:.2f}; the same with other seeds: "
            f"{look.stability:.2f} (adjusted Rand index); elbow of plain k-means at k = {look.elbow}"
        )
    console.print(f"{report.file}, {report.seconds:.1f} s", soft_wrap=True)


def show_report(report: ReportReport, console: Console) -> None:
    """Say where the page is, and what comes next."""
    size = f"{report.bytes / 1e6:.1f} MB"
    console.print(f"{report.html}: {report.groups} groups, {size}, needs nothing else", soft_wrap=True)
    if report.pdf:
        console.print(f"{report.pdf}: the same on paper", soft_wrap=True)
    if report.groups:
        console.print("next: open it, name groups, press Save names, then `okulo series label`")


def show_label(report: LabelReport, console: Console) -> None:
    """Print the names, and how well they are told apart."""
    table = _table("name", "recordings")
    for name, count in report.names.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    console.print(f"{report.unnamed:,} recordings are unlike the normal and have no name")
    kept = "" if report.errors_kept is None else f", and {1 - report.errors_kept:.0%} of the errors with them"
    console.print(
        f"classifier: {report.accuracy:.2%} right on {report.rows:,} recordings it had not seen; "
        f'below {report.threshold:.2f} it says "don\'t know": {report.refused:.2%} of the answers{kept}'
    )
    console.print(f"{report.file} and {report.classifier}, {report.seconds:.1f} s", soft_wrap=True)


def show_watch(report: WatchReport, console: Console) -> None:
    """Print what the new recordings are."""
    console.print(f"{report.series:,} new recordings in {report.rounds} rounds")
    if report.lost:
        console.print(f"[yellow]the connection was lost in {report.lost} of them[/yellow]")
    table = _table("answer", "recordings", "as")
    for name, count in report.answers.items():
        table.add_row(name, f"{count:,}", ", ".join(map(str, report.examples.get(name, []))))
    for reason, count in report.excluded.items():
        table.add_row(f"excluded: {reason}", f"{count:,}", "")
    console.print(table)
    if report.strange:
        console.print(f"{report.strange:,} are unlike everything that has a name: something new?")
    console.print(f"answers: {report.folder}", soft_wrap=True)


def show_simulate(report: SimulateReport, console: Console) -> None:
    """Print what was made."""
    table = _table("kind", "recordings")
    for kind, count in report.kinds.items():
        table.add_row(kind, f"{count:,}")
    console.print(table)
    console.print(report.out, soft_wrap=True)


def show_all(report: AllReport, console: Console) -> None:
    """Print what came, what was left out, the groups, and where the page is."""
    show_import(report.imported, console, then=False)
    console.print()
    show_clean(report.clean, console)
    console.print()
    show_cluster(report.cluster, console)
    if report.report:
        console.print()
        show_report(report.report, console)
    console.print(f"in all {report.seconds:.1f} s")


PARTS: dict[str, tuple[Any, Any, Any]] = {
    "all": (AllParams, run_all, show_all),
    "import": (ImportParams, run_import, show_import),
    "features": (FeaturesParams, run_features, show_features),
    "clean": (CleanParams, run_clean, show_clean),
    "cluster": (ClusterParams, run_cluster, show_cluster),
    "report": (ReportParams, run_report, show_report),
    "label": (LabelParams, run_label, show_label),
    "watch": (WatchParams, run_watch, show_watch),
    "simulate": (SimulateParams, run_simulate, show_simulate),
}

series = cyclopts.App(
    name="series",
    help="From a million short sensor recordings to named groups of faults.",
    help_epilogue="Each takes --quiet (no progress bars) and --json (print the report as JSON).",
)
for _name, _part in PARTS.items():
    series.command(command(*_part), name=_name)
