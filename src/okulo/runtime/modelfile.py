"""A model file as a Predictor: checked, and split at `pixels` so that pictures of any size can be batched."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from okulo.core.checks import check_image
from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.protocols import Answer, Image
from okulo.runtime.engines import Session, open_session
from okulo.runtime.graph import read_model, said_by, split, write_model


class ModelFile:
    """Answers pictures of any size with a model file, `batch_size` at a time."""

    def __init__(self, info: ModelInfo, preprocess: Session, network: Session, batch_size: int = 32) -> None:
        self.info = info
        self.batch_size = batch_size
        self._preprocess = preprocess
        self._network = network

    def prepare(self, image: Image) -> np.ndarray:
        """Make one picture the network's `pixels`, float32 (3, H, W)."""
        check_image(image)
        pixels: np.ndarray = self._preprocess.run({"image": np.ascontiguousarray(image)})["pixels"]
        return pixels[0]

    def answer(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network on a batch of `pixels` (n, 3, H, W): its named outputs, batch first."""
        return self._network.run({"pixels": pixels})

    def predict(self, batch: Sequence[Image], /) -> list[Answer]:
        """Answer i belongs to picture i (uint8 h × w × 3, RGB)."""
        said: list[Answer] = []
        for start in range(0, len(batch), self.batch_size):
            images = batch[start : start + self.batch_size]
            outputs = self.answer(np.stack([self.prepare(image) for image in images]))
            said += [{name: value[row] for name, value in outputs.items()} for row in range(len(images))]
        return said


def load(path: Path, engine: str = "onnxruntime", threads: int | None = None) -> ModelFile:
    """Open a model file; whatever is wrong with it is BadInput."""
    model = read_model(path)
    info = said_by(model)
    preprocess, network = split(model)
    try:
        return ModelFile(
            info,
            open_session(preprocess, "onnxruntime", threads),
            open_session(network, engine, threads),
        )
    except BadInput as error:
        raise BadInput(str(path), str(error)) from error


def read_info(path: Path) -> ModelInfo:
    """Read what a model file says of itself, without making it ready to run."""
    return said_by(read_model(path))


def write_info(path: Path, info: ModelInfo) -> None:
    """Change what a model file says of itself; the graph stays as it is, the file is whole or untouched."""
    write_model(read_model(path), info, path)
