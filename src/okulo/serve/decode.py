"""From what a client sent to the network's `pixels`: the first stage of every pipeline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import simplejpeg
from jaxtyping import UInt8

from okulo.core.errors import BadInput
from okulo.core.model import CANDIDATES
from okulo.core.protocols import Answer

START, SCAN, END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


@dataclass(slots=True)
class Prepared:
    """A picture as the network takes it, and how large it was (pixels)."""

    pixels: np.ndarray
    height: int
    width: int


@dataclass(slots=True)
class Seen:
    """What the network said of a picture, how large that was, and what post-processing made of it."""

    answer: Answer
    height: int
    width: int
    result: object = None


@runtime_checkable
class Network(Protocol):
    """A model file split at `pixels` (`runtime.modelfile.ModelFile`, or a fake)."""

    def prepare(self, image: np.ndarray, /) -> np.ndarray:
        """Make one picture the network's `pixels`, float32 (3, H, W)."""
        ...

    def answer(self, pixels: np.ndarray, /) -> dict[str, np.ndarray]:
        """Run the network on a batch of `pixels`: its named outputs, batch first."""
        ...


def decode(data: bytes, *, max_pixels: int) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a picture to RGB: the same pixels as `io.images.decode`, for plain JPEGs faster.

    libjpeg-turbo is called directly where the file is a colour or grey JPEG without EXIF (which may turn
    it); everything else goes the general way, which is loaded when it is first needed.
    """
    if data[:2] == START and b"Exif\0" not in data[:65536] and data.rfind(END) > data.rfind(SCAN):
        try:
            height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
            if colours in ("YCbCr", "Gray") and height * width <= max_pixels:
                image: np.ndarray = simplejpeg.decode_jpeg(data)
                return image
        except ValueError:  # damaged: the general way says how, or reads it all the same
            pass
    from okulo.io import images

    return images.decode(data, max_pixels=max_pixels)


class Prepare:
    """Predictor from a picture's bytes, or uint8 RGB arrays, to the network's `pixels`."""

    def __init__(self, network: Network, max_pixels: int) -> None:
        self.max_pixels = max_pixels
        self._network = network

    def predict(self, batch: Sequence[bytes | np.ndarray], /) -> list[Prepared]:
        """Answer i belongs to picture i."""
        said = []
        for each in batch:
            image = each if isinstance(each, np.ndarray) else decode(each, max_pixels=self.max_pixels)
            if image.shape[0] * image.shape[1] > self.max_pixels:
                raise BadInput("picture", wanted=f"at most {self.max_pixels:,} pixels", got=image.shape)
            said.append(Prepared(self._network.prepare(image), image.shape[0], image.shape[1]))
        return said


class Answers:
    """Predictor from `pixels` to the network's named outputs."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._finish: Callable[[Answer, int, int], Answer] | None = getattr(network, "finish", None)

    def predict(self, batch: Sequence[Prepared], /) -> list[Seen]:
        """Answer i belongs to picture i; all of one shape."""
        if not batch:
            return []
        pixels = batch[0].pixels[None] if len(batch) == 1 else np.stack([each.pixels for each in batch])
        outputs = self._network.answer(pixels)
        names = list(outputs)
        seen = [
            Seen(dict(zip(names, row)), each.height, each.width)
            for each, row in zip(batch, zip(*outputs.values()))
        ]
        if self._finish is not None and CANDIDATES[0] in outputs:
            for each in seen:
                each.answer = self._finish(each.answer, each.height, each.width)
        return seen
