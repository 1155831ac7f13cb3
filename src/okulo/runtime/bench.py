"""`okulo bench`: latency and throughput of models, side by side.

Each contender runs in a process of its own: thread pools of two engines in one process disturb each other.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_aside
from okulo.runtime.engines import ENGINES
from okulo.runtime.measure import Speed, Stages
from okulo.runtime.profile import Layer

LEAST_SPAN = 4.0
"""Points of accuracy that the chart shows at least."""


@dataclass(frozen=True, kw_only=True)
class BenchParams(Params):
    """Measure latency and throughput honestly: warmed up, awaited, percentiles, CPU time beside wall time.

    Each model, engine and number of threads is measured in a process of its own.
    """

    models: tuple[Path, ...] = param(help="model files, or run folders (PyTorch)", positional=True)
    engines: str = param("onnxruntime", help=f"with commas between: {', '.join(ENGINES)}")
    threads: str = param("", help="threads of the network, with commas between (default: all cores)")
    batches: str = param("1,8,32", help="batch sizes, with commas between")
    seconds: float = param(1.0, help="how long each figure is measured", low=0.01, high=3600)
    items: Path | None = param(None, help="table: adds accuracy, and its pictures are decoded and prepared")
    limit: int = param(1000, help="pictures of the table that accuracy is measured on", low=1)
    plot: Path | None = param(None, help="chart of accuracy against speed (PNG); needs --items")
    profile: bool = param(False, help="add a table of times layer by layer")


@dataclass(frozen=True)
class Contest:
    """What one model on one engine with some threads did."""

    model: str
    engine: str
    threads: int
    speeds: tuple[Speed, ...]
    stages: Stages
    accuracy: float | None
    accuracy_on: str
    agreement: float | None
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class BenchReport:
    """All that was measured, and on what."""

    contests: tuple[Contest, ...]
    cores: int
    load: float
    """Load average before measuring: above 0.5 something else was running."""
    plot: Path | None


def run(params: BenchParams, command: Sequence[str], progress: Progress = silent) -> BenchReport:
    """Measure every model on every engine with every number of threads; `command` starts one contest."""
    engines = _words("--engines", params.engines, ENGINES)
    cores = os.cpu_count() or 1
    threads = _numbers("--threads", params.threads, 1, 1024) if params.threads else [cores]
    batches = _numbers("--batches", params.batches, 1, 4096)
    if params.plot is not None and params.items is None:
        raise BadInput("--plot", "shows accuracy against speed", hint="give --items a table with labels")
    if params.plot is not None and params.plot.suffix != ".png":
        raise BadInput("--plot", wanted="a name ending in .png", got=params.plot.name)
    for model in params.models:
        if not model.exists():
            raise BadInput(str(model), "does not exist")
    load = os.getloadavg()[0]
    jobs = [
        _job(params, model, engine, count, batches)
        for model in params.models
        for engine in (["torch"] if model.is_dir() else engines)
        for count in threads
    ]
    contests = tuple(_contest(job, command) for job in progress(jobs, label="measuring"))
    if params.plot is not None:
        draw(contests, params.plot)
    return BenchReport(contests, cores, load, params.plot)


def _words(what: str, text: str, known: Sequence[str]) -> list[str]:
    words = [each.strip() for each in text.split(",") if each.strip()]
    for word in words:
        if word not in known:
            raise BadInput(what, wanted=f"of {', '.join(known)}", got=repr(word))
    if not words:
        raise BadInput(what, wanted=f"of {', '.join(known)}", got="nothing")
    return words


def _numbers(what: str, text: str, low: int, high: int) -> list[int]:
    try:
        numbers = [int(each) for each in text.split(",")]
    except ValueError as error:
        raise BadInput(what, wanted="whole numbers with commas between", got=repr(text)) from error
    if not all(low <= number <= high for number in numbers):
        raise BadInput(what, wanted=f"numbers from {low} to {high}", got=repr(text))
    return numbers


def _job(params: BenchParams, model: Path, engine: str, threads: int, batches: list[int]) -> dict[str, Any]:
    return {
        "model": str(model),
        "engine": engine,
        "threads": threads,
        "batches": batches,
        "seconds": params.seconds,
        "items": None if params.items is None else str(params.items),
        "limit": params.limit,
        "profile": params.profile,
    }


def _contest(job: dict[str, Any], command: Sequence[str]) -> Contest:
    """Run one contest in a child process and read what it says."""
    done = subprocess.run([*command, json.dumps(job)], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RuntimeError(
            f"measuring {job['model']} ended with code {done.returncode}:\n{done.stderr[-4000:]}"
        )
    said = json.loads(lines[-1])
    if "refused" in said:
        raise BadInput(said["refused"][0], said["refused"][1])
    return Contest(
        model=said["model"],
        engine=job["engine"],
        threads=job["threads"],
        speeds=tuple(Speed(**each) for each in said["speeds"]),
        stages=Stages(**said["stages"]),
        accuracy=said["accuracy"],
        accuracy_on=said["accuracy_on"],
        agreement=said["agreement"],
        layers=tuple(Layer(**each) for each in said["layers"]),
    )


def say_contest(contest: Contest) -> str:
    """One line of JSON, for the parent process."""
    return json.dumps(asdict(contest))


def draw(contests: Sequence[Contest], path: Path) -> None:
    """Draw accuracy against pictures a second (log scale), one point a contest."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for contest in contests:
        if contest.accuracy is None:
            continue
        rate = max(speed.per_second for speed in contest.speeds)
        label = f"{contest.model}, {contest.engine}, {contest.threads} threads"
        axes.scatter(rate, 100 * contest.accuracy, s=60, label=label)
    axes.set_xscale("log")
    low, high = axes.get_ylim()
    if high - low < LEAST_SPAN:  # tenths of a point must not look like a gulf
        axes.set_ylim(min((low + high - LEAST_SPAN) / 2, 100 - LEAST_SPAN), None)
        axes.set_ylim(axes.get_ylim()[0], axes.get_ylim()[0] + LEAST_SPAN)
    axes.set_xlabel("pictures a second, network alone at its best batch size")
    axes.set_ylabel(f"accuracy, % ({contests[0].accuracy_on})")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    with write_aside(path) as aside:
        figure.savefig(aside, dpi=120)
