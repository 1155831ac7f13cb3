"""What a benchmark ran on, and where its figures go."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    *("okulo", "numpy", "polars", "torch", "torchvision", "timm", "onnxruntime", "openvino"),
    *("opencv-python-headless", "pillow", "scikit-learn", "torchmetrics", "faiss-cpu"),
)


def describe() -> dict[str, Any]:
    """Name the processor, the system and the versions that matter."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: installed for name in PACKAGES if (installed := _version(name))},
        "date": datetime.now(UTC).date().isoformat(),
    }


def processor() -> str:
    """The processor's name, as Linux says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def read_results(name: str) -> dict[str, Any]:
    """The figures of `results/<name>.json` without the machine; none where there is no such file yet.

    Benchmarks that measure row by row read before each write, so that rows of other calls stay.
    """
    path = RESULTS / f"{name}.json"
    said: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    said.pop("machine", None)
    return said


def write_results(name: str, said: dict[str, Any]) -> Path:
    """Write `results/<name>.json` with the machine beside the figures."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": describe(), **said}, indent=2) + "\n")
    return path
