"""A run folder: what was asked for, of which data and code, what came of it epoch by epoch, and a picture."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import okulo
from okulo.core.errors import BadInput
from okulo.io.files import read_json, write_aside, write_json, write_text
from okulo.train.params import ClassifyParams

CONFIG, METRICS, REPORT, CURVES = "config.json", "metrics.jsonl", "report.json", "curves.png"
LIBRARIES = ("torch", "torchvision", "timm", "numpy", "polars")
PATHS = ("items", "output", "weights_file", "teacher")
FREE = ("resume", "device", "output", "items")
"""What may differ when a run is resumed."""


def start_folder(folder: Path) -> None:
    """Refuse a folder that holds a run already."""
    if (Path(folder) / CONFIG).exists():
        raise BadInput(str(folder), "holds a run already", hint="give --resume, or another folder")
    if Path(folder).exists() and not Path(folder).is_dir():
        raise BadInput(str(folder), "is a file", hint="a run is a folder")


def versions() -> dict[str, str]:
    """Versions of okulo's code and of the libraries that matter for a repetition."""
    said = {"okulo": okulo.__version__, "code": code_version()}
    for name in LIBRARIES:
        try:
            said[name] = version(name)
        except PackageNotFoundError:
            continue
    return said


def code_version() -> str:
    """The commit of okulo's own checkout, with `+` when files differ from it; else the package's version."""
    root = Path(okulo.__file__).parents[2]
    if not ((root / ".git").exists() and (root / "src" / "okulo").is_dir()):
        return okulo.__version__
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "--", "src") else "")
    except (OSError, subprocess.SubprocessError):
        return okulo.__version__


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def read_config(folder: Path, given: ClassifyParams) -> tuple[ClassifyParams, dict[str, Any]]:
    """Read a run's own parameters; what was now given otherwise than it was then is BadInput."""
    if not (Path(folder) / CONFIG).is_file():
        raise BadInput(str(folder), "holds no run to resume", hint="start one without --resume")
    config = read_json(Path(folder) / CONFIG)
    try:
        said = dict(config["params"])
        said.update({name: Path(said[name]) for name in PATHS if said.get(name) is not None})
        then = ClassifyParams(**said)
    except (KeyError, TypeError) as error:
        raise BadInput(str(Path(folder) / CONFIG), f"cannot be read ({error})") from error
    for each in fields(ClassifyParams):
        now, before = getattr(given, each.name), getattr(then, each.name)
        if each.name not in FREE and now != each.default and now != before:
            raise BadInput(
                each.name.replace("_", "-"), wanted=f"{before!r} as the run began with", got=repr(now)
            )
    free = {name: getattr(given, name) for name in FREE}
    return ClassifyParams(**{**asdict(then), **free}), config


def write_metrics(folder: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write one line of JSON for each epoch so far."""
    write_text(Path(folder) / METRICS, "".join(json.dumps(each) + "\n" for each in history))


Panels = Mapping[str, Mapping[str, str]]
PANELS: Panels = {
    "loss": {"train": "train_loss", "val": "val_loss"},
    "accuracy": {"train": "train_accuracy", "val": "val_accuracy"},
    "learning rate": {"": "lr"},
}
"""What is drawn: title, and which figure each line shows."""


def write_curves(folder: Path, history: Sequence[Mapping[str, float]], panels: Panels = PANELS) -> None:
    """Draw loss, accuracy and learning rate over the epochs."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [each["epoch"] for each in history]
    for axes, (title, lines) in zip(figure.subplots(1, len(panels)), panels.items()):
        for label, name in lines.items():
            if all(name in each for each in history):
                axes.plot(epochs, [each[name] for each in history], marker=".", label=label)
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        if len(lines) > 1:
            axes.legend()
    with write_aside(Path(folder) / CURVES) as aside:
        figure.savefig(aside, dpi=110)


def write_config(folder: Path, params: ClassifyParams, **facts: Any) -> None:
    """Write what was asked for and what was settled, so that the run can be repeated."""
    write_json(Path(folder) / CONFIG, {"params": asdict(params), **facts})
