"""`okulo audit`, `embed` and `dedup` on large tables: seconds, CPU, peak memory of the process.

python benchmarks/curate_scale.py --items 100000             (audit: vectors of 256 numbers, 10 classes)
python benchmarks/curate_scale.py --embed 500 2000 --model descriptor         (is embed flat in memory?)
python benchmarks/curate_scale.py --dedup 500 1500                                         (and dedup?)

Each command runs in a process of its own, as a user calls it. Writes `benchmarks/results/curate-scale.json`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from curate_truth import plant
from machine import read_results, write_results

CLASSES, LENGTH, WRONG = 10, 256, 0.05


def labelled(folder: Path, count: int) -> Path:
    """A table of vectors round one centre a class, one label in twenty wrong; no pictures."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, count)
    centres = rng.normal(size=(CLASSES, LENGTH)).astype(np.float32)
    vectors = centres[truth] + 2.5 * rng.normal(size=(count, LENGTH)).astype(np.float32)
    wrong = rng.random(count) < WRONG
    given = np.where(wrong, (truth + rng.integers(1, CLASSES, count)) % CLASSES, truth)
    path = folder / "items.parquet"
    pl.DataFrame(
        {
            "id": [f"{i:032x}" for i in range(count)],
            "path": [f"{i:06d}.png" for i in range(count)],
            "label": [f"class {each}" for each in given],
            "embedding": pl.Series(vectors, dtype=pl.Array(pl.Float32, LENGTH)),
        }
    ).write_parquet(path)
    return path


def pictures(folder: Path, count: int) -> Path:
    """A table of so many files, the tuning part's over and over."""
    files = plant("tune", 1, 2400).files()
    chosen = [files[i % len(files)] for i in range(count)]
    path = folder / "items.parquet"
    pl.DataFrame(
        {"id": [f"{i:032x}" for i in range(count)], "path": [str(each) for each in chosen]}
    ).write_parquet(path)
    return path


CHILD = """
import json, resource, sys, time
from okulo.cli.main import main
start = time.perf_counter()
sys.argv = ["okulo", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
used = resource.getrusage(resource.RUSAGE_SELF)
said = {"seconds": time.perf_counter() - start, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1e3}
print(json.dumps(said), file=sys.stderr)
"""  # noqa: E501


def measured(*arguments: str) -> dict[str, float]:
    """What one call takes, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    said: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    return said


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=0, help="rows to audit")
    parser.add_argument("--embed", type=int, nargs="*", default=[], help="rows to embed, one run each")
    parser.add_argument(
        "--dedup", type=int, nargs="*", default=[], help="rows to search for copies, one run each"
    )
    parser.add_argument("--model", default="descriptor")
    chosen = parser.parse_args()
    results = read_results("curate-scale")
    with tempfile.TemporaryDirectory() as folder:
        if chosen.items:
            table = labelled(Path(folder), chosen.items)
            results[f"audit {chosen.items}"] = measured("audit", str(table), "--no-pictures", "--quiet")
        for count in chosen.embed:
            table = pictures(Path(folder), count)
            said = measured("embed", str(table), "--model", chosen.model, "--quiet")
            results[f"embed {Path(chosen.model).name} {count}"] = said
        for count in chosen.dedup:
            table = pictures(Path(folder), count)
            results[f"dedup {count}"] = measured("dedup", str(table), "--quiet")
    for name, said in results.items():
        print(f"{name:40}", {key: round(value, 1) for key, value in said.items()})
    write_results("curate-scale", results)


if __name__ == "__main__":
    main()
