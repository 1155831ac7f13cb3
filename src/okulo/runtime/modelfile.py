"""A model file as a Predictor: checked, and split at `pixels` so that pictures of any size can be batched."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from okulo.algo.corners import to_corner_pixels
from okulo.algo.detect import finish_answer
from okulo.algo.resize import cut_and_resize, to_pixels
from okulo.algo.resize_plain import probes, scale_table
from okulo.core.checks import check_image
from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.protocols import Answer, Image
from okulo.runtime.engines import Session, open_session
from okulo.runtime.graph import INPUT, SEAM, read_model, said_by, split, write_model

ENGINE_TOLERANCE = 1e-3
"""Largest relative difference of an engine in float32 to ONNX Runtime."""


class ModelFile:
    """Answers pictures of any size with a model file, `batch_size` at a time.

    The file's graph is the truth of how a picture is prepared. Where compiled code gives the same bytes on a
    probe (always, with files of okulo's own), that is used instead, being several times faster: `compiled`.
    """

    def __init__(self, info: ModelInfo, preprocess: Session, network: Session, batch_size: int = 32) -> None:
        self.info = info
        self.batch_size = batch_size
        self.agreement: float | None = None
        """How far the engine's outputs are from ONNX Runtime's (relative; None: it is ONNX Runtime)."""
        self._preprocess = preprocess
        self._network = network
        self.outputs = tuple(network.names)
        self._table = scale_table(info.preprocess)
        self.compiled = all(
            np.array_equal(self._by_graph(probe), self._by_compiled_code(probe))
            for probe in probes(info.preprocess)
        )

    def prepare(self, image: Image, out: np.ndarray | None = None) -> np.ndarray:
        """Make one picture the network's `pixels`, float32 (3, H, W); into `out` if given."""
        check_image(image)
        if self.compiled:
            return self._by_compiled_code(image, out)
        if out is None:
            return self._by_graph(image)
        out[:] = self._by_graph(image)
        return out

    def blank(self, count: int) -> np.ndarray:
        """Make room for the `pixels` of `count` pictures, to be prepared into."""
        return np.empty((count, 3, *self.info.preprocess.size), np.float32)

    def answer(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network on a batch of `pixels` (n, 3, H, W): its named outputs, batch first."""
        return self._network.run({SEAM: pixels})

    def predict(self, batch: Sequence[Image], /) -> list[Answer]:
        """Answer i belongs to picture i (uint8 h × w × 3, RGB)."""
        said: list[Answer] = []
        for start in range(0, len(batch), self.batch_size):
            images = batch[start : start + self.batch_size]
            pixels = self.blank(len(images))
            for image, row in zip(images, pixels):
                self.prepare(image, row)
            outputs = self.answer(pixels)
            said += [
                self.finish({name: value[row] for name, value in outputs.items()}, *image.shape[:2])
                for row, image in enumerate(images)
            ]
        return said

    def finish(self, answer: Answer, height: int, width: int) -> Answer:
        """Make of the network's outputs for one picture its answer: a detector's candidates become boxes."""
        return finish_answer(answer, self.info, height, width)

    def _by_graph(self, image: Image) -> np.ndarray:
        pixels: np.ndarray = self._preprocess.run({INPUT: np.ascontiguousarray(image)})[SEAM][0]
        return pixels

    def _by_compiled_code(self, image: Image, out: np.ndarray | None = None) -> np.ndarray:
        if self.info.preprocess.filter == "corners":
            return to_corner_pixels(image, self.info.preprocess, out)
        return to_pixels(cut_and_resize(image, self.info.preprocess), self._table, out)


def load(
    path: Path,
    engine: str = "onnxruntime",
    threads: int | None = None,
    batch_size: int = 32,
    callers: int = 1,
) -> ModelFile:
    """Open a model file; whatever is wrong with it is BadInput that names the file.

    `threads` bounds the threads of one run (None: all cores), `callers` says how many threads will call
    `predict` at once. One process should use one engine. An engine other than ONNX Runtime is compared
    with it first: `agreement` says how far its outputs are off, and float32 that is off is refused.
    """
    model = read_model(path)
    try:
        preprocess, network = split(model)
        file = ModelFile(
            said_by(model),
            open_session(preprocess, "onnxruntime", 1),
            open_session(network, engine, threads, callers),
            batch_size,
        )
        if engine != "onnxruntime":
            file.agreement = agreement(file, open_session(network, "onnxruntime", 1))
            if engine == "openvino" and file.agreement > ENGINE_TOLERANCE:
                wanted = f"outputs within {ENGINE_TOLERANCE:g} of ONNX Runtime's"
                raise BadInput(f"engine {engine}", wanted=wanted, got=f"{file.agreement:.2g} on a probe")
        return file
    except BadInput as error:
        raise BadInput(str(path), str(error)) from error


def agreement(file: ModelFile, reference: Session) -> float:
    """Say how far a file's outputs are from a reference's on a probe, relative to the largest of each."""
    bright = probes(file.info.preprocess)
    pixels = np.stack([file.prepare(probe) for probe in [*bright, *(probe // 2 + 40 for probe in bright)]])
    got, wanted = file.answer(pixels), reference.run({SEAM: pixels})
    return max(
        float(np.abs(got[name] - wanted[name]).max() / max(np.abs(wanted[name]).max(), 1e-9))
        for name in wanted
    )


def load_whole(path: Path, threads: int | None = None) -> Session:
    """Open a model file unsplit, `image` to outputs, as a browser or any other ONNX runtime does."""
    return open_session(read_model(path), "onnxruntime", threads)


def read_info(path: Path) -> ModelInfo:
    """Read what a model file says of itself, without making it ready to run."""
    return said_by(read_model(path))


def write_info(path: Path, info: ModelInfo) -> None:
    """Change what a model file says of itself; the graph stays as it is, the file is whole or untouched."""
    write_model(read_model(path), info, path)
