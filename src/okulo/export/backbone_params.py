"""Parameters of `okulo backbone`. No torch here: `--help` reads this file."""

from dataclasses import dataclass
from pathlib import Path

from okulo.core.params import Params, param


@dataclass(frozen=True, kw_only=True)
class BackboneParams(Params):
    """Make a model file that embeds pictures, of a pretrained network."""

    name: str = param(help="efficientnet-lite0, or any network timm knows", positional=True)
    output: Path = param(help="the model file, *.okulo.onnx", short="o")
    weights: Path | None = param(
        None,
        help="file of weights (safetensors, or torch's own); default: an installed package, or timm's hub",
    )
    size: int | None = param(
        None, help="side of the network's input in pixels (default: its own)", low=32, high=2048
    )
    p: float = param(
        3.0, help="generalised mean: 1 averages, larger looks more at the strongest places", low=1, high=20
    )
    licence: str = param("", help="licence of the weights, kept in the file (known for efficientnet-lite0)")
