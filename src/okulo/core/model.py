"""What a model file says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from okulo.core.errors import BadInput
from okulo.core.report import to_json

FORMAT = 1
"""Version of the model file's contract; a file with a higher one is refused."""

TASKS = ("classify", "embed", "detect", "segment")
CANDIDATES = ("candidate_boxes", "candidate_scores")
"""What a detector's network gives for `pixels`: boxes (xyxy, shares of `pixels`), scores box by class."""
THRESHOLD = 0.25
"""The score a detector's box needs, where its file says none."""
OVERLAP = 0.45
"""The overlap (IoU) above which a worse box of the class goes, where the file says none."""
FITS = ("stretch", "crop", "letterbox")
FILTERS = ("antialiased", "corners")
GREY = 128
"""What an antialiased letterbox is filled with; Darknet's is filled with exactly half."""
OUTPUTS = {
    "classify": ("probabilities",),
    "embed": ("embedding",),
    "detect": ("boxes", "scores", "labels"),
    "segment": ("masks",),
}
"""The outputs a model of each task has at least."""


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How a picture of any size becomes the network's `pixels`; it is part of the model file's graph.

    `fit`: `stretch` resizes to `size` (height, width) whatever the shape; `crop` first cuts the largest
    centred part of `size`'s proportions; `letterbox` keeps the shape and lays the picture on middle grey.
    `filter`: resizing is `antialiased` bilinear, rounded to 0…255 as Pillow stores it; `corners` is
    Darknet's, bilinear between corner pixels, neither antialiased nor rounded. Then
    `(value / 255 - mean) / std` channel by channel (RGB).

    >>> Preprocess(size=(64, 64)).size
    (64, 64)
    """

    size: tuple[int, int]
    fit: str = "stretch"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    filter: str = "antialiased"

    def __post_init__(self) -> None:
        if not all(1 <= side <= 8192 for side in self.size):
            raise BadInput("size", wanted="(height, width), each 1 to 8192", got=self.size)
        if self.fit not in FITS:
            raise BadInput("fit", wanted=f"one of {', '.join(FITS)}", got=repr(self.fit))
        if self.filter not in FILTERS:
            raise BadInput("filter", wanted=f"one of {', '.join(FILTERS)}", got=repr(self.filter))
        if not all(value > 0 for value in self.std):
            raise BadInput(
                "mean and std", wanted="three numbers each, std > 0", got=f"{self.mean} {self.std}"
            )

    def window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Say which part of a picture is resized: top, left, height, width, in its pixels.

        >>> Preprocess(size=(64, 64)).window(100, 51)
        (0, 0, 100, 51)
        >>> Preprocess(size=(64, 64), fit="crop").window(100, 51)
        (24, 0, 51, 51)
        """
        if self.fit != "crop":
            return 0, 0, height, width
        high = min(height, max(1, width * self.size[0] // self.size[1]))
        wide = min(width, max(1, height * self.size[1] // self.size[0]))
        return (height - high) // 2, (width - wide) // 2, high, wide

    def placed(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Say where that part comes to lie in `pixels`: top, left, height, width.

        >>> Preprocess(size=(416, 416), fit="letterbox").placed(576, 768)
        (52, 0, 312, 416)
        """
        tall, broad = self.size
        if self.fit != "letterbox":
            return 0, 0, tall, broad
        if broad * height < tall * width:
            high, wide = max(1, height * broad // width), broad
        else:
            high, wide = tall, max(1, width * tall // height)
        return (tall - high) // 2, (broad - wide) // 2, high, wide


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Below `value` the answer is "don't know"; `how` says by which rule and on which data it was chosen."""

    value: float
    how: str = ""
    kept: float | None = None
    """Share of the answers kept, on the data it was chosen on."""
    errors_kept: float | None = None
    """Share of the original errors that are still given as answers (needs labels)."""

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise BadInput("threshold", wanted="a probability, 0 to 1", got=self.value)


def check_format(said: Mapping[str, Any], hint: str = "") -> None:
    """Raise BadInput unless metadata are there, and of a format this okulo knows."""
    if not isinstance(said.get("format"), int):
        raise BadInput("model file", "has no okulo metadata", hint=hint)
    if said["format"] > FORMAT:
        raise BadInput("model file", wanted=f"format ≤ {FORMAT}", got=said["format"], hint="update okulo")


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """All a model file says of itself; stored as metadata `okulo.<field>`, each value JSON.

    >>> info = ModelInfo(task="classify", classes=("cat", "dog"), preprocess=Preprocess(size=(64, 64)))
    >>> ModelInfo.from_json(info.to_json()) == info
    True
    """

    task: str
    preprocess: Preprocess
    classes: tuple[str, ...] = ()
    name: str = ""
    threshold: Threshold | None = None
    overlap: float | None = None
    """A detector's: of two boxes of one class that overlap (IoU) more than this, the better one stays."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: str = ""
    """Fingerprint of the table it was trained on."""
    versions: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What else its maker wants said (parity, quantisation, …)."""

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise BadInput("task", wanted=f"one of {', '.join(TASKS)}", got=repr(self.task))
        if len(set(self.classes)) != len(self.classes):
            raise BadInput("classes", wanted="each name once", got=self.classes)
        if self.overlap is not None and not 0 <= self.overlap <= 1:
            raise BadInput("overlap", wanted="an intersection over union, 0 to 1", got=self.overlap)
        if self.task == "detect" and self.preprocess.fit == "crop":
            raise BadInput("fit", "what is cut off is never detected", hint="stretch or letterbox")
        if self.task == "classify" and len(self.classes) < 2:
            raise BadInput("classes", wanted="two or more to tell apart", got=self.classes)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, one per field, and the format's version."""
        return {"format": FORMAT, **to_json(self)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "ModelInfo":
        """Read what `to_json` wrote; a missing field, a wrong type or a newer format is BadInput."""
        check_format(said, hint="`okulo export` writes model files")
        known = {each.name for each in fields(cls)}
        try:
            values = {name: value for name, value in said.items() if name in known}
            shape = dict(values["preprocess"])
            for name in ("size", "mean", "std"):
                shape[name] = tuple(shape[name])
            values["preprocess"] = Preprocess(**shape)
            values["classes"] = tuple(str(name) for name in values["classes"])
            if values.get("threshold") is not None:
                values["threshold"] = Threshold(**values["threshold"])
            return cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput("model file", f"its okulo metadata cannot be read ({error})") from error
