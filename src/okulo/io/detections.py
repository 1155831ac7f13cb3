"""Detections of a video as a table: one row a box, its frame and its time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.errors import BadInput
from okulo.core.nouns import Detections

COLUMNS = ("time_s", "x1", "y1", "x2", "y2", "score", "label")


@dataclass(frozen=True)
class Seen:
    """What was detected in one video."""

    frames: list[tuple[float, Detections]]
    """In the order of time; frames in which nothing was seen are not among them."""
    names: tuple[str, ...]
    """Of the labels; empty where the table has numbers."""


def read_table(path: Path) -> pl.DataFrame:
    """Read a table of detections of one video and check its columns and its clock."""
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
    return frame


def read_detections(path: Path, labels: Sequence[str]) -> Seen:
    """Read what `okulo detect` wrote of one video, those of these classes ("all": every one)."""
    frame = read_table(path)
    names: tuple[str, ...] = ()
    if frame.schema["label"] == pl.String:
        names = tuple(sorted(frame["label"].unique().drop_nulls()))
        wanted = names if "all" in labels else tuple(name for name in names if name in labels)
        if len(frame) and not wanted:
            raise BadInput("labels", wanted=f"some of {', '.join(names)}", got=", ".join(labels))
        frame = frame.filter(pl.col("label").is_in(list(wanted)))
        codes = frame["label"].replace_strict(list(names), range(len(names)), return_dtype=pl.Int32)
    else:
        codes = frame["label"].cast(pl.Int32)
    return Seen(frames_of(frame, codes), names)


def frames_of(frame: pl.DataFrame, codes: pl.Series) -> list[tuple[float, Detections]]:
    """Frame by frame in the order of time; `codes` are the rows' labels."""
    whole = frame.with_columns(code=codes).sort("time_s", maintain_order=True)
    return [
        (float(part["time_s"][0]), _detections(part))
        for part in whole.partition_by("time_s", maintain_order=True)
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
