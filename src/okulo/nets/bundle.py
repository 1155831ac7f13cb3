"""A network, how it is built, and what it says of itself; on disk `model.json` and safetensors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.io.files import read_json, write_aside, write_json


@dataclass(frozen=True)
class Bundle:
    """A network (`pixels` → `logits`, `embedding`), how `nets.build` makes it, and what it says of itself."""

    network: nn.Module
    architecture: dict[str, Any]
    info: ModelInfo


def save_bundle(folder: Path, bundle: Bundle, weights: str = "best") -> None:
    """Write `model.json` and `<weights>.safetensors`, each whole or not at all."""
    folder = Path(folder)
    save_weights(folder / f"{weights}.safetensors", bundle.network.state_dict())
    write_json(folder / "model.json", {"architecture": bundle.architecture, "info": bundle.info.to_json()})


def load_bundle(folder: Path, weights: str = "best") -> Bundle:
    """Rebuild the network of a run folder, in evaluation mode; nothing is unpickled."""
    from okulo.nets.build import build

    folder = Path(folder)
    if not (folder / "model.json").is_file():
        raise BadInput(str(folder), "holds no model.json", hint="is this a run folder of `okulo train`?")
    said = read_json(folder / "model.json")
    if not isinstance(said, dict) or not {"architecture", "info"} <= said.keys():
        raise BadInput(str(folder / "model.json"), wanted="architecture and info", got=type(said).__name__)
    info = ModelInfo.from_json(said["info"])
    network = build(said["architecture"])
    load_weights(network, folder / f"{weights}.safetensors")
    return Bundle(network.eval(), said["architecture"], info)


def save_weights(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Write a state dict as safetensors, whole or not at all (shared tensors are written once each name)."""
    with write_aside(path) as aside:
        save_file({name: value.detach().cpu().clone().contiguous() for name, value in state.items()}, aside)


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network from safetensors; one of another architecture is BadInput that names the difference."""
    try:
        state = load_file(path)
    except FileNotFoundError as error:
        raise BadInput(str(path), "does not exist") from error
    except (SafetensorError, OSError) as error:
        raise BadInput(str(path), f"cannot be read as safetensors ({error})") from error
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    got = {name: tuple(value.shape) for name, value in state.items()}
    if wanted != got:
        name = min(name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name))
        raise BadInput(
            str(path),
            f"does not fit the network: {name} should be {wanted.get(name, 'absent')}, "
            f"is {got.get(name, 'absent')}",
        )
    network.load_state_dict(state)
