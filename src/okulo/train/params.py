"""Parameters of the classification recipe. No torch here: `--help` reads this file."""

from dataclasses import dataclass
from pathlib import Path

from okulo.core.errors import BadInput
from okulo.core.params import Params, param

LOSSES = ("ce", "bce", "focal", "brier")
OPTIMISERS = ("auto", "sgd", "adamw")
BOX_LOSSES = ("ciou", "diou", "giou", "iou", "v3")
METRIC_LOSSES = ("contrastive", "triplet", "n-pair", "arcface", "sub-centre")
MINERS = ("semi-hard", "hard", "distance", "none")
POOLINGS = ("average", "max", "gem", "rmac", "combined")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True, kw_only=True)
class ClassifyParams(Params):
    """Train a network on a table.

    Needs the columns `path` and `label` (to detect: `boxes`); of `split` only `train` and `val` are used, and
    without `val` a part of `train` is held out. Writes a run folder that can be exported, evaluated, resumed.
    """

    items: Path = param(help="table of items, as `okulo scan` writes it", positional=True)
    output: Path = param(help="folder of the run, made anew", short="o")
    recipe: str = param("classify", help="what is trained", choices=("classify", "embed", "detect"))
    resume: bool = param(False, help="go on with the run in the output folder, with its own settings")

    backbone: str = param("vgg-tiny", help="one of ours (vgg-tiny, resnet-small, …) or any name of timm")
    weights_file: Path | None = param(None, help="start from these weights (safetensors or torch)")
    pretrained: bool = param(False, help="start from timm's published weights (fetches them)")
    input_size: int | None = param(
        None, help="side of the network's input, px (default: guessed from the table)", low=8, high=2048
    )
    fit: str = param(
        "auto", help="how pictures become square; auto: stretch, to detect letterbox",
        choices=("auto", "stretch", "crop", "letterbox"),
    )  # fmt: skip
    tweak_b: bool = param(True, help="ResNet-B: stride on the 3×3 of a bottleneck")
    tweak_c: bool = param(True, help="ResNet-C: a stem of three 3×3")
    tweak_d: bool = param(True, help="ResNet-D: average before the shortcut's 1×1")
    norm: str = param("batch", help="norm of our own networks", choices=("batch", "group"))
    dropout: float = param(0.0, help="share of features dropped before the last layer", low=0, high=0.95)

    epochs: int | None = param(
        None, help="times the training pictures are seen (default 30)", low=1, high=100_000
    )
    seconds: float | None = param(None, help="instead of epochs: as many as fit in this time", low=1)
    batch: int | None = param(
        None, help="pictures in a step, over all devices (default 64; to detect 16)", low=1, high=65_536
    )
    seed: int = param(0, help="of everything random", low=0)
    device: str = param("auto", help="auto, cpu, cuda, cuda:1, mps")
    val_share: float = param(0.1, help="held out of train where the table has no val", low=0, high=0.9)
    memory: float = param(
        2.0, help="decoded pictures up to so many GB are kept in memory, else on disk", low=0
    )

    lr: float | None = param(None, help="learning rate (default: 0.1 for sgd, 0.003 for adamw)", low=0)
    lr_scaling: bool = param(False, help="linear rule: multiply the learning rate by batch/256")
    warmup_epochs: float | None = param(
        None, help="learning rate rises from 0 for so long (default: a tenth, at most 5)", low=0
    )
    cosine: bool = param(True, help="cosine decay; without it ÷10 at ¼, ½ and ¾")
    zero_gamma: bool = param(True, help="residual blocks start as the identity")
    decay_norm_bias: bool = param(False, help="decay weights of norms and biases too")
    precision: str = param("auto", help="auto takes bf16 where it is faster", choices=PRECISIONS)
    label_smoothing: float | None = param(
        None, help="ε (default: 0.1 from 60 epochs on, else 0)", low=0, high=0.9
    )
    mixup: float = param(0.0, help="α of mixup, 0 is off; 0.2 is usual", low=0, high=10)
    teacher: Path | None = param(None, help="run to learn from as well (distillation)")
    temperature: float = param(4.0, help="softens the teacher's answers", low=0.1, high=100)
    distill_weight: float = param(0.5, help="share of the loss that is the teacher's", low=0, high=1)

    loss: str = param("ce", help="loss", choices=LOSSES)
    focal_gamma: float = param(2.0, help="γ of the focal loss", low=0, high=10)
    class_weights: bool = param(False, help="weight classes against their frequency")
    balanced_sampling: bool = param(False, help="draw every class equally often")
    optimiser: str = param("auto", help="auto: sgd; to detect adamw", choices=OPTIMISERS)
    momentum: float = param(0.9, help="of sgd", low=0, high=0.999)
    nesterov: bool = param(True, help="Nesterov's momentum")
    weight_decay: float = param(5e-4, help="L2 (sgd), or decoupled decay (adamw)", low=0)
    l1: float = param(0.0, help="L1 penalty on weights", low=0)
    ema: float | None = param(
        None, help="decay of averaged weights, 0 is off (default: off; to detect 0.998)", low=0, high=0.99999
    )

    metric_loss: str = param("triplet", help="embed: loss", choices=METRIC_LOSSES)
    miner: str = param("semi-hard", help="embed: which triplets of a batch are learnt from", choices=MINERS)
    margin: float = param(0.1, help="embed: a negative is to be so much farther (cosine)", low=0, high=2)
    loss_margin: float | None = param(
        None, low=0, high=90,
        help="embed: cosine below which negatives are let be (contrastive); degrees (arcface, sub-centre)",
    )  # fmt: skip
    scale: float | None = param(
        None, help="embed: how sharp the softmax of n-pair, arcface and sub-centre is", low=0.1, high=1000
    )
    per_label: int = param(4, help="embed: items of each label in a batch", low=2, high=1024)
    pooling: str = param("gem", help="embed: how maps become a vector", choices=POOLINGS)
    length: int = param(256, help="embed: values of the vector", low=2, high=8192)
    train_last: int = param(
        0, help="embed: blocks of the backbone that learn too; -1 is all", low=-1, high=100
    )

    box_loss: str = param("ciou", help="detect: what is learnt of boxes", choices=BOX_LOSSES)
    iou_aware: bool = param(True, help="detect: a box is to be as sure as it overlaps with the truth")
    anchors: int = param(3, help="detect: sizes a cell looks for, found by k-means", low=1, high=16)
    maps: int = param(3, help="detect: maps that detect, of 8, 16 and 32 px a cell", low=1, high=3)
    mosaic: float | None = param(
        None, help="detect: share of pictures put together of four (default: 0.5 from 8 epochs on)",
        low=0, high=1,
    )  # fmt: skip
    zoom: float | None = param(
        None, help="detect: zoom by up to 1 + this, in or out (default: 0.4 from 8 epochs on)", low=0, high=4
    )

    flip: bool = param(False, help="mirror half of the pictures; leave off where left and right differ")
    shift: float | None = param(
        None, help="move pictures by up to this share of their side (default: 0.07 from 8 epochs on)",
        low=0, high=0.5,
    )  # fmt: skip
    colour: float | None = param(
        None, help="strength of brightness, contrast, saturation changes (default: 0.2 from 60 epochs on)",
        low=0, high=1,
    )  # fmt: skip
    erase: float | None = param(
        None, help="share of pictures with a part erased (default: 0.25 from 60 epochs on)", low=0, high=1
    )
    jpeg: float = param(0.0, help="share of pictures seen as a poor JPEG", low=0, high=1)
    policy: str = param(
        "none", help="torchvision's automatic augmentation", choices=("none", "trivial", "rand")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is not None and self.seconds is not None:
            raise BadInput("seconds", "cannot be given together with epochs", hint="give one budget")
        if self.pretrained and self.weights_file is not None:
            raise BadInput("weights-file", "cannot be given together with pretrained")
        if self.nesterov and self.optimiser != "adamw" and self.momentum == 0:
            raise BadInput("nesterov", "needs momentum > 0", hint="give --no-nesterov")
