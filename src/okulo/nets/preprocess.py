"""Pre-processing in PyTorch: the same definition as the model file's graph (see `core.model.Preprocess`).

Resizing is `algo.resize`: the same bytes in training, in the model file's graph and in the runtime, within
one level of torch's own `interpolate(mode="bilinear", antialias=True)`, whose rounding differs by runtime.
"""

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from okulo.algo.resize import cut_and_resize
from okulo.core.model import Preprocess


def as_tensor(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[Tensor, "h w 3"]:
    """Copy a picture into a tensor (also one that is read-only or has negative strides)."""
    return torch.from_numpy(np.array(image, order="C"))


def resize(image: UInt8[Tensor, "h w 3"], preprocess: Preprocess) -> UInt8[Tensor, "H W 3"]:
    """Cut and resize to the network's size; a picture that has it already passes unchanged.

    >>> resize(torch.full((5, 9, 3), 7, dtype=torch.uint8), Preprocess(size=(2, 2)))[..., 0]
    tensor([[7, 7],
            [7, 7]], dtype=torch.uint8)
    """
    return torch.from_numpy(np.array(cut_and_resize(image.cpu().numpy(), preprocess), order="C"))


def normalise(images: UInt8[Tensor, "n H W 3"], preprocess: Preprocess) -> Float32[Tensor, "n 3 H W"]:
    """Bring bytes to the network's scale: `(value / 255 - mean) / std`, channels first.

    >>> half = Preprocess(size=(1, 1), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> normalise(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8), half).flatten()
    tensor([-1.0000, -0.6000,  1.0000])
    """
    device = images.device
    mean = torch.tensor(preprocess.mean, dtype=torch.float32, device=device).view(3, 1, 1)
    std = torch.tensor(preprocess.std, dtype=torch.float32, device=device).view(3, 1, 1)
    return (images.permute(0, 3, 1, 2).to(torch.float32) / 255 - mean) / std


def prepare(image: UInt8[Tensor, "h w 3"], preprocess: Preprocess) -> Float32[Tensor, "1 3 H W"]:
    """Make one picture of any size the network's `pixels`: `normalise` of `resize`, exactly."""
    return normalise(resize(image, preprocess)[None], preprocess)
