"""How long a user waits for `okulo --help` and each verb's, and what that loads."""

import argparse
import subprocess
import sys
import time
from statistics import median

from machine import write_results
from okulo.cli.main import VERBS

HEAVY = ("torch", "onnxruntime", "matplotlib", "scipy", "sklearn", "numba", "polars", "cv2")


def seconds(arguments: list[str], repeats: int) -> float:
    """Median wall time of one command."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "okulo.cli.main", *arguments], capture_output=True, check=True)
        taken.append(time.perf_counter() - start)
    return median(taken)


def imported(verb: str) -> list[str]:
    """Heavy packages that showing a verb's help loads."""
    module = f"okulo.cli.{verb}" if verb else "okulo.cli.main"
    code = f"import sys, {module}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    rows = {}
    print(f"{'command':24} {'median s':>8}  loads")
    for verb in ("", *VERBS):
        rows[verb or "okulo"] = {
            "seconds": seconds([verb, "--help"] if verb else ["--help"], repeats),
            "loads": imported(verb),
        }
        row, command = rows[verb or "okulo"], f"okulo {verb} --help".replace("  ", " ")
        print(f"{command:24} {row['seconds']:8.3f}  {' '.join(row['loads'])}")
    write_results("startup", {"help": rows})


if __name__ == "__main__":
    main()
