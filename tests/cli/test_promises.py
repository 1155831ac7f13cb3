"""What every verb promises: help, a page in the docs, and one clear line with exit code 2 on bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from okulo.cli.main import VERBS

from .conftest import Run

DOCS = Path(__file__).parents[2] / "docs"
NEEDS_TORCH = ("train", "ablate", "export", "backbone")


def okulo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "okulo.cli.main", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_a_page(verb: str, here: Run) -> None:
    done = here(verb, "--help")
    assert done.returncode == 0, done.stderr
    assert "--quiet" in done.stdout
    name = {"index": "make-index"}.get(verb, verb)  # index.md is the list of all
    page = (DOCS / "commands" / f"{name}.md").read_text()
    assert page.startswith(f"# okulo {verb}\n")
    assert "```text\n$ okulo" in page, "the help block is not filled; run `make format`"


@pytest.mark.parametrize("verb", VERBS)
def test_bad_input_is_one_clear_line_and_exit_code_2(verb: str, here: Run, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    arguments = {
        "scan": [missing, "-o", f"{missing}.parquet"],
        "sample": ["no-such-sample", missing],
        "backbone": ["efficientnet-lite0", "--weights", f"{missing}.pth", "-o", f"{missing}.okulo.onnx"],
        "embed": [f"{missing}.parquet", "--model", "descriptor"],
        "dedup": [f"{missing}.parquet"],
        "train": [f"{missing}.parquet", "-o", missing],
        "ablate": [f"{missing}.parquet", "-o", missing],
        "evaluate": [f"{missing}.onnx", f"{missing}.parquet", "-o", missing],
        "threshold": [f"{missing}.onnx", f"{missing}.parquet"],
        "export": [missing, "-o", f"{missing}.okulo.onnx"],
        "predict": [f"{missing}.onnx", missing, "-o", f"{missing}.parquet"],
        "convert": ["darknet", f"{missing}.cfg", f"{missing}.weights", "-o", f"{missing}.okulo.onnx"],
        "detect": [f"{missing}.onnx", f"{missing}.png", "-o", f"{missing}.parquet"],
        "audit": [f"{missing}.parquet"],
        "apply": [f"{missing}.parquet", "--verdicts", f"{missing}.db", "-o", f"{missing}2.parquet"],
        "pick": [f"{missing}.parquet", "-n", "5", "-o", f"{missing}2.parquet"],
        "footprints": [f"{missing}.png", "-o", f"{missing}.geojson"],
        "bench": [f"{missing}.onnx"],
        "index": [f"{missing}.parquet", "--model", "descriptor", "-o", f"{missing}.index"],
        "search": [f"{missing}.index", f"{missing}.png"],
        "search-app": [f"{missing}.index", "--port", "0"],
        "search-eval": [f"{missing}.index", f"{missing}.parquet"],
        "review": [f"{missing}.parquet", "--port", "0"],
        "serve": [f"{missing}.onnx", "--port", "0"],
        "work": [f"{missing}.onnx", "--jobs", f"{missing}.db"],
        "mesh": ["denoise", f"{missing}.ply", "-o", f"{missing}2.ply"],
        "track": [f"{missing}.parquet", "-o", f"{missing}2.parquet"],
        "speed": [f"{missing}.mp4", "--calibration", f"{missing}.json", "--model", f"{missing}.onnx"],
        "deploy": ["k8s", missing, "--model", f"{missing}.onnx"],
        "series": ["features", missing],
    }[verb]
    # What sets up a process of its own (logging, signals) gets one; and one other, for the way in itself.
    done = (okulo if verb in ("serve", "work", "scan") else here)(verb, *arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_torch_free_part_imports_no_torch() -> None:
    """One verb after another in one fresh process: after each, nothing heavy may have come."""
    verbs = [verb.replace("-", "_") for verb in VERBS if verb not in NEEDS_TORCH]
    code = f"""
import importlib, json, sys
heavy, said = ["torch", "matplotlib", "onnxruntime", "sklearn", "scipy"], {{}}
for name in ["main", *{verbs}]:
    importlib.import_module("okulo.cli." + name)
    said[name] = [each for each in heavy if each in sys.modules]
    heavy = ["torch"]
print(json.dumps(said))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {name: [] for name in ["main", *verbs]}


def test_an_unknown_verb_names_the_known_ones() -> None:
    done = okulo("scna")
    assert done.returncode == 2
    assert done.stderr == "okulo: scna: no such command; did you mean 'scan'?\n"
