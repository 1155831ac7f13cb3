"""`okulo series all`: from the source to groups and their page in one go, at default settings."""

import time
from dataclasses import dataclass
from pathlib import Path

from okulo.apps.series import bring, clean, cluster, features, report
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent


@dataclass(frozen=True, kw_only=True)
class AllParams(Params):
    """Import, features, clean, cluster and report in one go, each as it is by default.

    What each does, and what it can be told, is said by its own command.
    """

    source: str = param(help="postgresql://… , a dump, CSV or Parquet", positional=True)
    out: Path = param(help="folder to write", short="o")
    query: str = param("", help="SELECT whose rows are the recordings (PostgreSQL)")
    table: str = param("", help="the table, in place of a query")
    id: str = param("id", help="column of the recording's number")
    values: str = param("values", help="column of its values: an array, or one sample a row with --time")
    time: str = param("", help="column of the sample's time, where there is one row a sample")
    report: Path | None = param(None, help="page to write; by default report.html in the folder")
    page: bool = param(True, help="write the page")
    replace: bool = param(False, help="throw away what the folder holds, and begin anew")


@dataclass(frozen=True, kw_only=True)
class AllReport:
    """What each step said."""

    imported: bring.ImportReport
    features: features.FeaturesReport
    clean: clean.CleanReport
    cluster: cluster.ClusterReport
    report: report.ReportReport | None
    seconds: float


def run(params: AllParams, progress: Progress = silent) -> AllReport:
    """Do all, one after the other; after an import that broke off, the same command goes on."""
    started = time.perf_counter()
    names = ("source", "out", "query", "table", "id", "values", "time", "replace")
    imported = bring.run(bring.ImportParams(**{name: getattr(params, name) for name in names}), progress)
    described = features.run(features.FeaturesParams(store=params.out), progress)
    cleaned = clean.run(clean.CleanParams(store=params.out), progress)
    grouped = cluster.run(cluster.ClusterParams(store=params.out), progress)
    page = None
    if params.page:
        where = params.report or params.out / "report.html"
        page = report.run(report.ReportParams(store=params.out, out=where), progress)
    return AllReport(
        imported=imported,
        features=described,
        clean=cleaned,
        cluster=grouped,
        report=page,
        seconds=time.perf_counter() - started,
    )
