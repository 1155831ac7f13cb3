"""A run's state on disk: whole or the one before, and read back without unpickling."""

from pathlib import Path
from typing import Any

import torch

from okulo.core.errors import BadInput
from okulo.io.files import write_aside

STATE = "state/checkpoint.pt"


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the state after an epoch; a reader sees the old one or the new one."""
    with write_aside(Path(folder) / STATE) as aside:
        torch.save(state, aside)


def load_state(folder: Path) -> dict[str, Any]:
    """Read the state of a run (`weights_only`: nothing in it can run code)."""
    path = Path(folder) / STATE
    if not path.is_file():
        raise BadInput(str(folder), "holds no state to go on from", hint="start anew without --resume")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on damaged files
        raise BadInput(str(path), "cannot be read", hint="start anew in another folder") from error
    return state
