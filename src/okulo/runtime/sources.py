"""Where frames come from: a video file, a camera, a stream."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from okulo.core.errors import BadInput, need

VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".ogv")
STREAMS = ("rtsp://", "rtsps://", "http://", "https://", "rtmp://", "udp://")
CAMERA = "camera:"
WAIT_S = 10
"""A stream that says nothing for so long is given up."""


@dataclass(frozen=True)
class Frame:
    """A picture, and where it is from: file, number and time of a frame (0 for pictures)."""

    source: str
    number: int
    time_s: float
    image: UInt8[np.ndarray, "h w 3"]


def is_live(source: str) -> bool:
    """Whether this names a camera or a stream.

    >>> is_live("camera:0"), is_live("rtsp://10.0.0.2/live"), is_live("a.mp4")
    (True, True, False)
    """
    return source.startswith((CAMERA, *STREAMS))


def is_video(source: str) -> bool:
    """Whether this is named as a video file is."""
    return Path(source).suffix.lower() in VIDEOS


class Source:
    """Frames of one video; `count` is how many it claims to have (0: it does not say)."""

    def __init__(self, name: str, count: int, pictures: Iterator[tuple[int, float, Any]]) -> None:
        self.name, self.count, self._pictures = name, count, pictures

    def frames(self, every: int = 1, seconds: float | None = None) -> Iterator[Frame]:
        """Give every nth frame, up to so many seconds."""
        for number, time_s, picture in self._pictures:
            if seconds is not None and time_s > seconds:
                return
            if number % every == 0:
                yield Frame(self.name, number, time_s, picture)


@contextmanager
def open_source(source: str) -> Iterator[Source]:
    """Open a video file, `camera:0`, or a stream's address; what cannot be opened is BadInput."""
    if not is_live(source):
        from okulo.io.video import open_video

        with open_video(Path(source)) as video:
            frames = ((each.number, each.time_s, each.image) for each in video.frames())
            yield Source(source, video.count, frames)
        return
    av: Any = need("av", extra="video", verb="okulo detect")
    try:
        if source.startswith(CAMERA):
            container = av.open(f"/dev/video{source.removeprefix(CAMERA)}", format="v4l2")
        else:
            options = {"rtsp_transport": "tcp"} if source.startswith("rtsp") else {}
            container = av.open(source, options=options, timeout=WAIT_S)
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(source, f"cannot be opened ({reason})") from error
    with container:
        yield Source(source, 0, _live(av, container, source))


def _live(av: Any, container: Any, source: str) -> Iterator[tuple[int, float, np.ndarray]]:
    """Frames with the time they came at; a stream that breaks off ends."""
    begun, number = time.monotonic(), 0
    if not container.streams.video:
        raise BadInput(source, "holds no pictures")
    try:
        for picture in container.decode(video=0):
            yield number, time.monotonic() - begun, picture.to_ndarray(format="rgb24")
            number += 1
    except av.error.FFmpegError as error:
        if number == 0:
            raise BadInput(source, f"no frame of it can be decoded ({error.strerror})") from error
