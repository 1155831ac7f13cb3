"""Detections of a video, frame by frame: read from a table, or asked of a detector."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float32

from okulo.core.errors import BadInput
from okulo.core.nouns import Detections
from okulo.core.protocols import Answer, Image, Predictor
from okulo.io.video import Video

COLUMNS = ("time_s", "x1", "y1", "x2", "y2", "score", "label")
BATCH = 8
Frames = Iterator[tuple[float, Detections]]


def read_detections(path: Path, labels: Sequence[str]) -> list[tuple[float, Detections]]:
    """Read what `okulo detect` wrote of one video, those of these classes; frames in the order of time."""
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(str(path), f"cannot be read as Parquet ({reason})") from error
    lacks = [name for name in COLUMNS if name not in frame.columns]
    if lacks:
        raise BadInput(
            str(path),
            f"has no column {', '.join(lacks)}",
            hint="`okulo detect` of a video writes such a table",
        )
    if "source" in frame.columns and frame["source"].n_unique() > 1:
        raise BadInput(str(path), "holds detections of several videos", hint="give one of one video")
    _check_clock(frame, path)
    if "all" not in labels and frame.schema["label"] == pl.String:
        known = sorted(frame["label"].unique().drop_nulls())
        frame = frame.with_columns(kept=pl.col("label").is_in(list(labels)))
        if len(frame) and not frame["kept"].any():
            raise BadInput("labels", wanted=f"some of {', '.join(known)}", got=", ".join(labels))
        frame = frame.filter("kept")
    codes = (
        frame["label"].cast(pl.Categorical).to_physical()
        if frame.schema["label"] == pl.String
        else frame["label"]
    )
    frame = frame.with_columns(code=codes.cast(pl.Int32))
    return [
        (float(part["time_s"][0]), _detections(part))
        for part in frame.sort("time_s", maintain_order=True).partition_by("time_s", maintain_order=True)
    ]


def _check_clock(frame: pl.DataFrame, path: Path) -> None:
    if frame["time_s"].null_count() or not frame["time_s"].is_finite().all():
        raise BadInput(str(path), "has rows without a time")
    if "frame" in frame.columns:
        clock = frame.group_by("frame").agg(pl.col("time_s").min()).sort("frame")["time_s"]
        back = (clock.diff().drop_nulls() <= 0).arg_true()
        if len(back):
            at = int(back[0])
            raise BadInput(
                str(path),
                f"the clock goes from {clock[at]:.3f} s to {clock[at + 1]:.3f} s; it must run forward",
            )


def _detections(part: pl.DataFrame) -> Detections:
    xyxy = part.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float32)
    return Detections(
        np.ascontiguousarray(xyxy),
        part["score"].to_numpy().astype(np.float32),
        part["code"].to_numpy().astype(np.int32),
    )


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
