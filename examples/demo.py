"""The whole loop on real pictures: scan, train, evaluate, threshold, export, predict, benchmark.

Runs the commands a user would type, one after another, and ends with a short story of what they found.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path("demo")


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def okulo(*arguments: str) -> None:
    """Run one command and let it speak for itself; a failure ends the demo with its own message."""
    print("$ okulo " + " ".join(arguments), flush=True)
    done = subprocess.run([sys.executable, "-m", "okulo.cli.main", *arguments], cwd=FOLDER, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def main() -> None:
    """Take a folder of pictures to a checked model file."""
    started = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()

    say("1 · Pictures: 12,000 real ones from Fashion-MNIST, in class folders")
    okulo("sample", "fashion", "fashion")
    say("2 · Look at them: a table, a split, and what is wrong with the data")
    okulo("scan", "fashion", "-o", "items.parquet", "--val", "0.1", "--plot", "balance.png")
    say("3 · Train the default small network")
    okulo("train", "items.parquet", "-o", "run")
    say("4 · Export one model file, checked number by number against PyTorch")
    okulo("export", "run", "-o", "fashion.okulo.onnx")
    say("5 · Choose when to say 'I don't know'")
    okulo("threshold", "fashion.okulo.onnx", "items.parquet", "--rule", "refuse", "--target", "0.2")
    say("6 · Measure the file, as a report page")
    okulo("evaluate", "fashion.okulo.onnx", "items.parquet", "-o", "report")
    say("7 · Use it: answers for pictures, without torch, and how fast it is")
    okulo("predict", "fashion.okulo.onnx", "fashion/test", "-o", "answers.parquet")
    okulo("bench", "fashion.okulo.onnx")

    say(f"Done in {time.monotonic() - started:.0f} s. Open demo/report/report.html in a browser.")


if __name__ == "__main__":
    main()
