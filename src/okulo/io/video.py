"""Video files by PyAV: frames with the times they were taken at, and annotated copies."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from okulo.core.errors import BadInput, need
from okulo.io.files import write_aside

TICKS = 90_000
"""Of a second, the clock of written videos."""
CODECS: dict[str, dict[str, str]] = {
    "libopenh264": {},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "row-mt": "1"},
    "mpeg4": {},
}
"""Which encoder writes: the first there is. libx264 is left out, its licence is the GPL."""


@dataclass(frozen=True)
class Frame:
    """One picture of a video."""

    number: int
    """From 0, counting those that were decoded."""
    time_s: float
    """When it was taken, as the file says, from the first frame on."""
    image: UInt8[np.ndarray, "h w 3"]


class Video:
    """A video that is being read; `broken` counts what could not be decoded so far."""

    def __init__(self, path: Path, container: Any, fps: float | None) -> None:
        self.path, self._container, self._fps = path, container, fps
        self._stream = container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.width, self.height = int(self._stream.width), int(self._stream.height)
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = fps or (float(rate) if rate else 25.0)
        self.count = int(self._stream.frames)
        """How many frames the file claims; 0: it does not say."""
        self.broken = 0

    def frames(self) -> Iterator[Frame]:
        """Read the frames one by one; broken ones are left out and counted.

        A file in which none can be decoded is BadInput, as is a clock that runs backwards.
        """
        first, last, number = 0.0, -np.inf, 0
        for picture in self._decode():
            told = picture.time if self._fps is None else None
            if told is None:
                told = number / self.fps
            first = told if number == 0 else first
            time_s = float(told) - first
            if time_s <= last:
                raise BadInput(
                    str(self.path),
                    f"the clock goes from {last:.3f} s to {time_s:.3f} s at frame {number}",
                    hint="to count frames instead of reading the clock, say how many make a second: --fps",
                )
            yield Frame(number, time_s, picture.to_ndarray(format="rgb24"))
            number, last = number + 1, time_s
        if number == 0:
            raise BadInput(str(self.path), "no frame of it can be decoded", hint="is the file whole?")

    def _decode(self) -> Iterator[Any]:
        av = need("av", extra="video", verb="video")
        try:
            for packet in self._container.demux(self._stream):
                try:
                    pictures = packet.decode()
                except av.error.FFmpegError:  # one broken packet must not end the whole
                    self.broken += 1
                    continue
                for picture in pictures:
                    if picture.is_corrupt:
                        self.broken += 1
                    else:
                        yield picture
        except av.error.FFmpegError:  # the container itself ends in the middle
            self.broken += 1


@contextmanager
def open_video(path: Path, *, fps: float | None = None) -> Iterator[Video]:
    """Open a video file; with `fps`, its own clock is not read. What is none is BadInput."""
    av = need("av", extra="video", verb="video")
    path = Path(path)
    if not path.exists():
        raise BadInput(str(path), "does not exist")
    if path.is_dir():
        raise BadInput(str(path), "is a folder", hint="give a video file")
    try:
        container = av.open(str(path))
    except av.error.FFmpegError as error:
        raise BadInput(str(path), f"is no video that can be read ({error.strerror})") from error
    try:
        if not container.streams.video:
            raise BadInput(str(path), "holds no pictures")
        yield Video(path, container, fps)
    finally:
        container.close()


class Writer:
    """A video that is being written."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._last = -1

    def write(self, image: UInt8[np.ndarray, "h w 3"], time_s: float) -> None:
        """Add a picture, shown from this time on."""
        import av

        h, w = image.shape[:2]
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[: h // 2 * 2, : w // 2 * 2]), "rgb24")
        self._last = max(round(time_s * TICKS), self._last + 1)
        picture.pts, picture.time_base = self._last, Fraction(1, TICKS)
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Write what is still held back."""
        self._container.mux(self._stream.encode())


@contextmanager
def write_video(path: Path, *, width: int, height: int, fps: float = 25.0) -> Iterator[Writer]:
    """Write an MP4, whole or not at all; pictures may come at any times. Odd sides lose a row or column."""
    av = need("av", extra="video", verb="video")
    codec = next(each for each in CODECS if each in av.codecs_available)
    with write_aside(Path(path)) as aside:
        try:
            with av.open(str(aside), "w", format="mp4") as container:
                rate = Fraction(fps).limit_denominator(1001)
                stream = container.add_stream(codec, rate=rate, options=dict(CODECS[codec]))
                stream.width, stream.height = width // 2 * 2, height // 2 * 2
                stream.pix_fmt, stream.bit_rate = "yuv420p", max(500_000, width * height * 4)
                stream.codec_context.time_base = Fraction(1, TICKS)
                writer = Writer(container, stream)
                yield writer
                writer.finish()
        except av.error.FFmpegError as error:
            raise BadInput(str(path), f"cannot be written ({error.strerror})") from error
