"""Parameters and report of the ablation. No torch here: `--help` reads this file."""

from dataclasses import dataclass
from pathlib import Path

from okulo.core.errors import BadInput
from okulo.core.params import Params, param


@dataclass(frozen=True, kw_only=True)
class AblateParams(Params):
    """Say what each trick of the training recipe brings on your data.

    Trains the recipe again and again, one trick more each time, with several seeds, and prints what each
    brought and how sure that is. All runs of one seed see the pictures in the same order.
    """

    items: Path = param(help="table of items, as `okulo scan` writes it", positional=True)
    output: Path = param(help="folder for ablation.json, ablation.md and the runs so far", short="o")
    backbone: str = param("resnet-tiny", help="one of ours (resnet-tiny, …) or any name of timm")
    mode: str = param(
        "stack",
        help="stack: one trick on top of the other; alone: each by itself on the baseline",
        choices=("stack", "alone"),
    )
    on: str = param("val", help="split to measure on", choices=("val", "test"))
    seeds: int = param(3, help="runs of each row", low=1, high=100)
    epochs: int = param(8, help="of each run", low=1, high=10_000)
    batch: int = param(128, help="pictures in a step; the baseline takes a quarter", low=4, high=65_536)
    lr: float = param(0.2, help="learning rate at this batch; the baseline takes a quarter", low=0)
    label_smoothing: float = param(0.1, help="ε of the label smoothing row", low=0, high=0.9)
    mixup: float = param(0.2, help="α of the mixup row", low=0, high=10)
    teacher: Path | None = param(None, help="run to learn from; adds the distillation row")
    input_size: int | None = param(None, help="side of the network's input, px", low=8, high=2048)
    device: str = param("auto", help="auto, cpu, cuda, cuda:1, mps")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch % 4:
            raise BadInput("batch", wanted="a multiple of 4: the baseline takes a quarter", got=self.batch)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table: accuracies are 0 to 1, one for each seed."""

    name: str
    accuracies: tuple[float, ...]
    mean: float
    std: float | None
    """Over the seeds; none with one seed."""
    gain: float | None
    """Mean over the seeds of the difference to the row it builds on; none for the baseline."""
    gain_half_width: float | None
    """Half of the 95 % interval of that mean (Student's t, paired by seed); none with one seed."""
    seconds: float
    """Of one run's training, median over the seeds."""


@dataclass(frozen=True, kw_only=True)
class AblateReport:
    """What each trick brought."""

    rows: tuple[Row, ...]
    mode: str
    backbone: str
    epochs: int
    seeds: int
    on: str
    measured_items: int
    train_items: int
    output: Path
