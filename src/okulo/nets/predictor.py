"""The PyTorch pipeline as a Predictor."""

from collections.abc import Sequence

import numpy as np
import torch

from okulo.algo.detect import finish_answer
from okulo.core.checks import check_image
from okulo.core.protocols import Answer, Image
from okulo.nets.answers import answers
from okulo.nets.bundle import Bundle
from okulo.nets.preprocess import as_tensor, normalise, prepare, resize


class TorchPredictor:
    """Answers pictures of any size with a bundle's network (put in evaluation mode), a batch at a time."""

    def __init__(self, bundle: Bundle, batch_size: int = 64, device: str = "cpu") -> None:
        self.info = bundle.info
        self.batch_size = batch_size
        self.device = device
        self._network = bundle.network.to(device).eval()

    def predict(self, batch: Sequence[Image], /) -> list[Answer]:
        """Answer i belongs to picture i (uint8 h × w × 3, RGB)."""
        said: list[Answer] = []
        for start in range(0, len(batch), self.batch_size):
            images = batch[start : start + self.batch_size]
            outputs = self.answer(images)
            for row, image in enumerate(images):
                one = {name: value[row] for name, value in outputs.items()}
                said.append(finish_answer(one, self.info, *image.shape[:2]))
        return said

    def prepare(self, image: Image) -> np.ndarray:
        """Make one picture the network's `pixels`, float32 (3, H, W)."""
        check_image(image)
        pixels: np.ndarray = prepare(as_tensor(image), self.info.preprocess)[0].numpy()
        return pixels

    @torch.inference_mode()
    def answer(self, images: Sequence[Image]) -> dict[str, np.ndarray]:
        """Run the network on pictures: its named outputs, batch first; a detector's are its candidates."""
        for image in images:
            check_image(image)
        resized = torch.stack([resize(as_tensor(image), self.info.preprocess) for image in images])
        outputs = answers(
            self._network(normalise(resized.to(self.device), self.info.preprocess)), self.info.task
        )
        return {name: value.cpu().numpy() for name, value in outputs.items()}
