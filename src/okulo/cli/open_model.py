"""A model given on the command line: a model file, or a run folder (which needs torch)."""

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from okulo.core.errors import BadInput, need
from okulo.core.model import ModelInfo, Threshold
from okulo.core.protocols import Answer, Image, Predictor
from okulo.io.files import read_json, write_json


class Opened(Predictor[Image, Answer], Protocol):
    """A predictor that says what it is; a detector goes by the threshold and overlap that `info` has."""

    info: ModelInfo


def open_model(path: Path, *, engine: str = "onnxruntime") -> tuple[Opened, ModelInfo]:
    """Open whichever it is, ready to answer."""
    if not Path(path).exists():
        raise BadInput(str(path), "does not exist", hint="a model file or a run folder is wanted")
    if Path(path).is_dir():
        need("torch", extra="train", verb="a run folder")
        from okulo.nets.bundle import load_bundle
        from okulo.nets.predictor import TorchPredictor

        bundle = load_bundle(path)
        return TorchPredictor(bundle), bundle.info
    from okulo.runtime.modelfile import load

    model = load(path, engine)
    return model, model.info


def write_threshold(path: Path, info: ModelInfo, threshold: Threshold) -> None:
    """Write the threshold into the model file, or into the run folder's `model.json`; weights stay."""
    info = replace(info, threshold=threshold)
    if Path(path).is_dir():
        said = read_json(path / "model.json")
        write_json(path / "model.json", {**said, "info": info.to_json()})
        return
    from okulo.runtime.modelfile import write_info

    write_info(path, info)
