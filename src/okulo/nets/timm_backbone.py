"""Any network of timm, answering as ours do; weights from timm's hub or from a file."""

import contextlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from okulo.core.errors import BadInput, need


class TimmClassifier(nn.Module):
    """A timm network's pooled features (`embedding`) and one linear layer (`logits`)."""

    def __init__(self, model: str, *, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = create(model)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(int(self.backbone.head_hidden_size), classes)  # type: ignore[arg-type]

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> dict[str, Tensor]:
        """Answer for a batch: `logits` [n, k] and `embedding` [n, d]."""
        embedding = self.backbone(pixels)
        return {"logits": self.head(self.dropout(embedding)), "embedding": embedding}


def create(model: str, *, pretrained: bool = False) -> nn.Module:
    """Make timm's network without its head; an unknown name is BadInput that offers near ones."""
    timm = check_name(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm warns of its own deprecated names
        network: nn.Module = timm.create_model(model, pretrained=pretrained, num_classes=0)
    return network


def check_name(model: str) -> Any:
    """Refuse a name that timm does not know, offering near ones; gives timm."""
    timm = need("timm", extra="train")
    if not timm.is_model(model):
        near = timm.list_models(f"*{model.split('_')[0]}*")[:5]
        hint = f"near it: {', '.join(near)}" if near else "see timm.list_models()"
        raise BadInput("backbone", wanted="one of ours or a name timm knows", got=repr(model), hint=hint)
    return timm


def data_settings(model: str) -> Mapping[str, Any]:
    """What timm says of a network's input: `input_size` (3, H, W), `mean`, `std`, if the size is `fixed`."""
    timm = need("timm", extra="train")
    said = timm.models.get_pretrained_cfg(model)
    if said is None:
        return {}
    fixed = bool(getattr(said, "fixed_input_size", False))
    return {"input_size": said.input_size, "mean": said.mean, "std": said.std, "fixed": fixed}


def fetch_pretrained(backbone: nn.Module, model: str, hint: str = "give --weights-file") -> None:
    """Fill a backbone with timm's published weights; BadInput where they cannot be fetched."""
    try:
        backbone.load_state_dict(create(model, pretrained=True).state_dict())
    except BadInput:
        raise
    except Exception as error:  # the hub's client raises many kinds when there is no network
        reason = str(error).partition("\n")[0][:120]
        raise BadInput(
            f"pretrained weights of {model}", f"cannot be fetched ({reason})", hint=hint
        ) from error


def load_backbone(network: nn.Module, path: Path) -> int:
    """Fill a network from a file of weights by name and shape, or by order where only the names differ.

    Safetensors, or torch files loaded with `weights_only=True`. A head of other classes is left as drawn.
    Returns how many tensors were taken; fewer than half of the network's is BadInput.
    """
    given = read_weights(path)
    own = network.state_dict()
    prefixes = ("", "backbone.")
    taken = {
        prefix + name: value
        for prefix in prefixes
        for name, value in given.items()
        if prefix + name in own and own[prefix + name].shape == value.shape
    }
    if 2 * len(taken) < len(own):
        taken = _by_order(own, given)
    if 2 * len(taken) < len(own):
        raise BadInput(
            str(path),
            wanted=f"weights of this network ({len(own)} tensors)",
            got=f"{len(given)} tensors of which {len(taken)} fit",
            hint="is it the same architecture?",
        )
    network.load_state_dict(taken, strict=False)
    return len(taken)


def _by_order(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    counters = "num_batches_tracked"
    names = [name for name in own if not name.endswith(counters) and not name.startswith("head.")]
    values = [value for name, value in given.items() if not name.endswith(counters)][: len(names)]
    fits = len(values) == len(names) and all(own[n].shape == v.shape for n, v in zip(names, values))
    return dict(zip(names, values)) if fits else {}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict without unpickling: safetensors, or a torch file with `weights_only=True`."""
    try:
        if Path(path).suffix == ".safetensors":
            return load_file(path)
        said = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BadInput(str(path), "does not exist") from error
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    except (SafetensorError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise BadInput(str(path), "holds no weights that can be read") from error
    except Exception as error:  # pickle's own error class is not imported for its name alone
        raise BadInput(str(path), "holds more than weights; it is not loaded") from error
    for key in ("state_dict", "model"):
        with contextlib.suppress(TypeError, KeyError):
            said = said[key]
    if not isinstance(said, dict) or not all(isinstance(value, Tensor) for value in said.values()):
        raise BadInput(str(path), wanted="a state dict of tensors", got=type(said).__name__)
    return said


def create_features(model: str, strides: tuple[int, ...]) -> tuple[nn.Module, list[int]]:
    """Make timm's network without its head, giving maps of these strides; and how many channels each has."""
    timm = check_name(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm warns of its own deprecated names
        try:
            network: nn.Module = timm.create_model(model, pretrained=False, features_only=True)
        except (RuntimeError, AttributeError, TypeError, ValueError) as error:
            raise BadInput("backbone", f"{model} gives no maps", hint="take a convolutional one") from error
    steps = list(network.feature_info.reduction())  # type: ignore[union-attr, operator]
    lacks = [step for step in strides if step not in steps]
    if lacks:
        raise BadInput("backbone", wanted=f"maps of strides {strides}", got=f"{model} with {steps}")
    places = [len(steps) - 1 - steps[::-1].index(step) for step in strides]  # the last of each stride
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = timm.create_model(model, pretrained=False, features_only=True, out_indices=places)
    return network, [int(width) for width in network.feature_info.channels()]  # type: ignore[union-attr, operator]
