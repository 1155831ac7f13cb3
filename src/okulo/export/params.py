"""Parameters of `okulo export`. No torch here: `--help` reads this file."""

from dataclasses import dataclass
from pathlib import Path

from okulo.core.params import Params, param


@dataclass(frozen=True, kw_only=True)
class ExportParams(Params):
    """Write a trained network as one ONNX file, pre-processing inside, checked against PyTorch."""

    run: Path = param(help="run folder of okulo train", positional=True)
    output: Path = param(help="the model file, *.okulo.onnx", short="o")
    items: Path | None = param(None, help="table of pictures to check and calibrate on (default: the run's)")
    weights: str = param("best", help="which weights of the run", choices=("best", "last"))
    quantize: str = param(
        "none", help="int8: smaller and faster, at a measured price", choices=("none", "int8")
    )
    calibrate: int = param(256, help="training pictures that set int8's ranges", low=8, high=10_000)
    check: int = param(1000, help="pictures that int8 is compared on", low=10, high=1_000_000)
    max_drop: float = param(1.0, help="points of accuracy int8 may cost", low=0, high=100)
    force: bool = param(False, help="write an int8 file that lost more")
    triton: Path | None = param(None, help="also write a Triton model repository into this folder")
    name: str = param("", help="the model's name (default: the file's)")
    licence: str = param("", help="licence of the model, kept in its metadata")
    seed: int = param(0, help="which pictures are drawn", low=0)
