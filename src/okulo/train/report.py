"""What a training run found. No torch here: the command line and a page read it."""

from dataclasses import dataclass, field
from pathlib import Path

from okulo.core.nouns import Findings


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """A finished run; shares and accuracies are 0 to 1."""

    run: Path
    backbone: str
    classes: tuple[str, ...]
    input_size: int
    train_items: int
    val_items: int
    parameters: int
    multiply_adds: int
    """For one picture."""
    precision: str
    device: str
    processes: int
    epochs: int
    best_epoch: int
    train_loss: float
    val_loss: float | None
    val_accuracy: float | None
    logit_gap: float | None
    """Mean difference of the two highest logits on val."""
    logit_gap_optimum: float | None
    """What label smoothing aims at: log((K−1)(1−ε)/ε); none without smoothing."""
    seconds: float
    """Of all epochs; decoding is `decode_seconds`."""
    decode_seconds: float
    images_per_second: float
    step_share: float
    """Share of the time of passing through the training pictures that the steps themselves took."""
    findings: Findings = field(default_factory=Findings)


@dataclass(frozen=True, kw_only=True)
class EmbedReport:
    """A finished run of the recipe "embed"; shares are 0 to 1."""

    run: Path
    backbone: str
    pooling: str
    loss: str
    miner: str
    train_last: int
    length: int
    train_items: int
    train_labels: int
    val_items: int
    epochs: int
    best_epoch: int
    val_map: float | None
    """Every val item asks for all others; its labels were never trained on."""
    val_recall_1: float | None
    easy_first: float
    """Share of all triplets of a batch that teach nothing, in the first epoch."""
    easy_last: float
    seconds: float
    findings: Findings = field(default_factory=Findings)


@dataclass(frozen=True, kw_only=True)
class DetectReport:
    """A finished run of the recipe "detect"; shares and precisions are 0 to 1."""

    run: Path
    backbone: str
    classes: tuple[str, ...]
    input_size: int
    anchors: tuple[tuple[float, float], ...]
    """Width and height in pixels of the network's input, the smallest first."""
    anchor_overlap: float
    """Mean overlap (IoU of the sizes) of the training boxes with their best anchor."""
    train_items: int
    train_boxes: int
    val_items: int
    val_boxes: int
    parameters: int
    multiply_adds: int
    """For one picture."""
    precision: str
    device: str
    processes: int
    epochs: int
    best_epoch: int
    train_loss: float
    val_map: float | None
    """COCO's AP: mean over overlaps of .5 to .95 and classes."""
    val_map_50: float | None
    threshold: float | None
    """The score with the best F1 on val; the model keeps it."""
    seconds: float
    """Of all epochs; decoding is `decode_seconds`."""
    decode_seconds: float
    images_per_second: float
    step_share: float
    findings: Findings = field(default_factory=Findings)
