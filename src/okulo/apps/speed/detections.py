"""Detections of a video, asked of a detector frame by frame."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
from jaxtyping import Float32

from okulo.core.errors import BadInput
from okulo.core.nouns import Detections
from okulo.core.protocols import Answer, Image, Predictor
from okulo.io.video import Video

BATCH = 8
Frames = Iterator[tuple[float, Detections]]


def ask(
    video: Video, detector: Predictor[Image, Answer], classes: Sequence[str], labels: Sequence[str],
    seen: Callable[[int], None] = lambda count: None,
) -> Frames:  # fmt: skip
    """Ask a detector of each frame, a few at once; `seen` hears how many frames there were."""
    wanted = _wanted(classes, labels)
    frames = video.frames()
    while some := list(islice(frames, BATCH)):
        answers = detector.predict([frame.image for frame in some])
        for frame, answer in zip(some, answers):
            yield frame.time_s, _chosen(answer, wanted)
        seen(some[-1].number + 1)


def _wanted(classes: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    if "all" in labels:
        return np.ones(len(classes), bool)
    wanted = np.array([name in labels for name in classes])
    if not wanted.any():
        few = ", ".join(classes[:8]) + (", …" if len(classes) > 8 else "")
        raise BadInput("labels", wanted=f"classes of the model ({few})", got=", ".join(labels))
    return wanted


def _chosen(answer: Answer, wanted: np.ndarray) -> Detections:
    label = np.asarray(answer["labels"], np.int32)
    keep = wanted[label]
    boxes: Float32[np.ndarray, "n 4"] = np.asarray(answer["boxes"], np.float32)[keep]
    return Detections(boxes, np.asarray(answer["scores"], np.float32)[keep], label[keep])
