"""How fast and how big is a scan? Beside a bare Pillow loop and torchvision's ImageFolder on the same files.

    python benchmarks/scan.py

Every case is a process of its own, so that its time and its memory are its own. The peers only decode; a scan
hashes, decodes, checks, finds copies, counts and writes the table as well. CPU seconds count all processes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from machine import write_results

OKULO = (sys.executable, "-m", "okulo.cli.main", "scan")
PILLOW = """
import sys
from pathlib import Path
from PIL import Image
for path in sorted(Path(sys.argv[1]).rglob("*.png")):
    with Image.open(path) as picture:
        picture.convert("RGB")
"""
PILLOW_HASH = PILLOW.replace("import sys", "import hashlib, sys").replace(
    "    with", "    hashlib.blake2b(path.read_bytes()).hexdigest()\n    with"
)
IMAGE_FOLDER = """
import sys
from torchvision.datasets import ImageFolder
for picture, label in ImageFolder(sys.argv[1] + "/train"): pass
for picture, label in ImageFolder(sys.argv[1] + "/test"): pass
"""


def measure(command: list[str]) -> dict[str, float]:
    """Seconds by the clock and of all processors, and the peak memory (MB) of the largest process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} failed")
    taken = time.perf_counter() - start
    return {
        "seconds": taken,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def make_noise(folder: Path, count: int) -> None:
    """So many different small pictures in ten classes."""
    from okulo.io.images import encode_png

    rng = np.random.default_rng(count)
    for number in range(count):
        path = folder / f"{number % 10}" / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)))


def cases(work: Path) -> dict[str, tuple[list[str], bool]]:
    """Name → command, and whether the table is removed first."""
    table = ["-o", str(work / "items.parquet"), "--split", "0.8/0.1/0.1"]
    fashion = str(work / "fashion")
    return {
        "okulo scan": ([*OKULO, fashion, *table], True),
        "okulo scan --workers 1": ([*OKULO, fashion, *table, "--workers", "1"], True),
        "okulo scan --no-verify": ([*OKULO, fashion, *table, "--no-verify"], True),
        "okulo scan, again": ([*OKULO, fashion, *table], False),
        "Pillow loop": ([sys.executable, "-c", PILLOW, fashion], False),
        "Pillow loop with hash": ([sys.executable, "-c", PILLOW_HASH, fashion], False),
        "torchvision ImageFolder": ([sys.executable, "-c", IMAGE_FOLDER, fashion], False),
        "okulo scan, 1,000 files": ([*OKULO, str(work / "1000"), *table, "--workers", "1"], True),
        "okulo scan, 20,000 files": ([*OKULO, str(work / "20000"), *table, "--workers", "1"], True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sample = [*OKULO[:-1], "sample", "fashion", str(work / "fashion")]
        subprocess.run(sample, check=True, stdout=subprocess.DEVNULL)
        for count in (1000, 20_000):
            make_noise(work / str(count), count)
        for name, (command, anew) in cases(work).items():
            runs = []
            for _ in range(given.repeats):
                if anew:
                    (work / "items.parquet").unlink(missing_ok=True)
                runs.append(measure(command))
            results[name] = {key: median(run[key] for run in runs) for key in runs[0]}
            said = results[name]
            times = f"{said['seconds']:6.2f} s  {said['cpu_seconds']:6.2f} CPU-s"
            print(f"{name:28} {times}  {said['peak_mb']:5.0f} MB")
            if name == "okulo scan --no-verify":  # the next scan finds the table of a whole one
                (work / "items.parquet").unlink()
                measure(cases(work)["okulo scan"][0])
    ratio = results["okulo scan"]["cpu_seconds"] / results["Pillow loop with hash"]["cpu_seconds"]
    grown = results["okulo scan, 20,000 files"]["peak_mb"] - results["okulo scan, 1,000 files"]["peak_mb"]
    print(f"a scan costs {ratio:.2f} × the CPU of a Pillow loop with hash")
    print(f"19,000 more files take {grown:.0f} MB more")
    print(
        write_results(
            "scan", {"cases": results, "cpu_ratio_to_pillow": ratio, "mb_for_19000_more_files": grown}
        )
    )


if __name__ == "__main__":
    main()
