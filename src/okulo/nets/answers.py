"""From what a network puts out to what a model file answers."""

from collections.abc import Mapping

from torch import Tensor

from okulo.core.model import CANDIDATES


def answers(outputs: Mapping[str, Tensor], task: str = "classify") -> dict[str, Tensor]:
    """Turn `logits` into `probabilities` (softmax) and pass `embedding` on; task `embed` keeps only that.

    Of a detector (task `detect`) the candidates are the answer; `algo.detect` makes boxes of them.

    >>> import torch
    >>> answers({"logits": torch.tensor([[0.0, 0.0]])})["probabilities"]
    tensor([[0.5000, 0.5000]])
    """
    if task == "detect":
        return {name: outputs[name].float() for name in CANDIDATES}
    said: dict[str, Tensor] = {}
    if task != "embed" and "logits" in outputs:
        said["probabilities"] = outputs["logits"].float().softmax(dim=1)
    if "embedding" in outputs:
        said["embedding"] = outputs["embedding"].float()
    return said
