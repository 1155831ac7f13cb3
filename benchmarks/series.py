"""Series: from PostgreSQL to groups at a million recordings, beside peers, and what is found.

    python benchmarks/series.py chain               # the commands, from PostgreSQL: time and memory
    python benchmarks/series.py steps --peers PY    # each step beside the best known way
    python benchmarks/series.py quality --peers PY  # families found, beside plain pipelines and DTW
    python benchmarks/series.py labelled --peers PY # aeon's labelled sets

PY: a Python with the packages of benchmarks/peers.txt for series. Results are added to results/series.json.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.machine import read_results, write_results
from tests.postgres_server import postgres

from okulo.apps.series.files import find_program

GOAL_S = 10.0
GOAL_GIB = 1.5
LARGEST = 1_000_000


def measured(*arguments: str) -> tuple[float, float]:
    """Run a command of okulo; its seconds and its largest resident memory in GiB."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "okulo.cli.main", "series", *arguments, "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"okulo series {' '.join(arguments)} failed")
    return seconds, usage.ru_maxrss / 2**20


def chain(source: list[str], root: Path) -> dict[str, dict[str, float]]:
    """Import, features, clean and cluster as the user gives them, at default settings."""
    store = str(root / "store")
    shutil.rmtree(store, ignore_errors=True)
    told = {}
    for name, arguments in (
        ("import", ["import", *source, "-o", store]),
        ("features", ["features", store]),
        ("clean", ["clean", store]),
        ("cluster", ["cluster", store]),
    ):
        seconds, memory = measured(*arguments)
        told[name] = {"seconds": seconds, "gib": memory}
    told["four commands"] = {
        "seconds": sum(each["seconds"] for each in told.values()),
        "gib": max(each["gib"] for each in told.values()),
    }
    seconds, memory = measured("all", *source, "-o", store, "--replace", "--no-page")
    told["in one go"] = {"seconds": seconds, "gib": memory}
    seconds, memory = measured("report", store, "-o", str(root / "page.html"))
    told["the page"] = {"seconds": seconds, "gib": memory}
    return told


def run_chain(counts: list[int], repeats: int) -> dict[str, object]:
    """The chain from a real PostgreSQL at several sizes, and from its dump at the largest."""
    told: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="okulo-bench-") as folder, postgres() as url:
        root = Path(folder)
        measured(
            "simulate", url, "--table", "warm", "-n", "3000"
        )  # in a process of its own: a child's memory
        # is counted from its parent's, which must stay small
        chain(
            [url, "--table", "warm"], root
        )  # compiles the kernels where that has not been done on this machine
        for count in counts:
            table = f"recordings_{count}"
            measured("simulate", url, "--table", table, "-n", str(count))
            runs = [chain([url, "--table", table], root) for _ in range(repeats)]
            told[f"postgresql {count}"] = middle(runs)
            show(f"{count:,} recordings from PostgreSQL", told[f"postgresql {count}"])
        if counts[-1] < LARGEST:
            return told
        dump = root / "dump.sql"
        command = [find_program("pg_dump"), "-d", url, "-t", f"recordings_{counts[-1]}", "-f", str(dump)]
        subprocess.run(command, check=True)
        told[f"dump {counts[-1]}"] = middle([chain([str(dump)], root) for _ in range(repeats)])
        show(f"{counts[-1]:,} recordings from a plain dump", told[f"dump {counts[-1]}"])
    return told


def middle(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """The medians of several runs."""
    return {
        step: {key: round(statistics.median(run[step][key] for run in runs), 3) for key in runs[0][step]}
        for step in runs[0]
    }


def show(title: str, told: object) -> None:
    print(title)
    assert isinstance(told, dict)
    for step, figures in told.items():
        print(f"  {step:<14} {figures['seconds']:6.2f} s  {figures['gib']:.2f} GiB")
    whole = told["in one go"]
    met = whole["seconds"] <= GOAL_S and whole["gib"] <= GOAL_GIB
    print(f"  goal: ≤ {GOAL_S:g} s and ≤ {GOAL_GIB} GiB: {'met' if met else 'not met'}", flush=True)


def run_part(options: argparse.Namespace) -> dict[str, object]:
    if options.part == "chain":
        return run_chain(options.counts, options.repeats)
    from benchmarks.series_quality import (
        labelled,
        quality,
    )  # here: what they import would be counted as memory
    from benchmarks.series_steps import steps

    if options.part == "steps":
        return steps(options.count, options.repeats, options.peers)
    return (
        quality(options.count, options.seeds, options.peers)
        if options.part == "quality"
        else labelled(options.peers)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=("chain", "steps", "quality", "labelled"))
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--count", type=int, default=1_000_000, help="recordings in steps and quality")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[901, 902], help="of quality: none of them was tuned on"
    )
    parser.add_argument("--peers", help="Python of the peers' environment")
    options = parser.parse_args()
    told = run_part(options)
    before = read_results("series")
    if options.part in ("chain", "quality"):  # sizes and seeds may be measured one after the other
        told = {**before.get(options.part, {}), **told}
    print(write_results("series", {**before, options.part: told}))


if __name__ == "__main__":
    main()
