"""Which layer of a PyTorch network is slow, and its honest times."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from okulo.core.protocols import Answer, Image
from okulo.nets.answers import answers
from okulo.nets.bundle import Bundle
from okulo.nets.predictor import TorchPredictor


class TorchContender:
    """A run's network in eager PyTorch; answers are awaited, from accelerators too."""

    def __init__(self, bundle: Bundle, device: str = "cpu") -> None:
        self.info = bundle.info
        self._predictor = TorchPredictor(bundle, device=device)
        self._network = bundle.network.to(device).eval()
        self._device = torch.device(device)

    def prepare(self, image: Image) -> np.ndarray:
        """Make one picture `pixels` (3, H, W)."""
        return self._predictor.prepare(image)

    @torch.inference_mode()
    def answer(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Answer a batch; the copy back to the host waits for the device."""
        said = answers(self._network(torch.from_numpy(pixels).to(self._device)), self.info.task)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return {name: value.cpu().numpy() for name, value in said.items()}

    def predict(self, batch: Sequence[Image], /) -> Sequence[Answer]:
        """Answer pictures."""
        return self._predictor.predict(batch)

    def operators(self, batch: int, runs: int = 10) -> list[tuple[str, float]]:
        """Mean own time of each kind of operator in one run of a batch, milliseconds, slowest first."""
        pixels = np.random.default_rng(0).standard_normal((batch, 3, *self.info.preprocess.size), np.float32)
        self.answer(pixels)
        activities = [ProfilerActivity.CPU]
        if self._device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        with profile(activities=activities) as recorded:
            for _ in range(runs):
                self.answer(pixels)
        times = [(each.key, each.self_cpu_time_total / 1e3 / runs) for each in recorded.key_averages()]
        return sorted(times, key=lambda pair: -pair[1])
