"""Write a checked model file of a network: what every part of okulo that makes models ends with."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto

import okulo
from okulo.algo.resize import resize
from okulo.core.model import ModelInfo
from okulo.core.protocols import Image
from okulo.export.join import join
from okulo.export.network_graph import network_graph
from okulo.export.parity import Parity, check_parity
from okulo.io.files import write_aside
from okulo.nets.bundle import Bundle


def write(bundle: Bundle, path: Path, pictures: Sequence[Image] = (), on: str = "") -> Parity:
    """Export a network as a model file that is proven against PyTorch; a file that fails is not left behind.

    Args:
        bundle: the network; `info.task` says what it answers (`embed`: only `embedding`).
        path: the file, whole or absent.
        pictures: what it is proven on; none: generated ones, and the file says so.
        on: what the pictures are, in words.
    """
    network, _ = network_graph(bundle)
    return write_graph(network, bundle, path, pictures, on)


def write_graph(
    network: ModelProto, bundle: Bundle, path: Path, pictures: Sequence[Image] = (), on: str = ""
) -> Parity:
    """Write a network's graph with its pre-processing, and prove it against the bundle it was made of."""
    if not len(pictures):
        pictures, on = generated_pictures(bundle.info.preprocess.size), "generated noise and gradients"
    with write_aside(Path(path)) as aside:
        aside.write_bytes(join(network, bundle.info).SerializeToString(deterministic=True))
        parity = check_parity(bundle, aside, pictures, on or f"{len(pictures)} pictures")
        notes = {**bundle.info.notes, "parity": {"on": parity.on, "worst": parity.worst}}
        info = replace(bundle.info, notes=notes, versions=versions(bundle.info))
        aside.write_bytes(join(network, info).SerializeToString(deterministic=True))
    return parity


def versions(info: ModelInfo) -> dict[str, str]:
    """Say what made a file, beside what made its network."""
    made = {"okulo": okulo.__version__, "torch": torch.__version__, "onnx": onnx.__version__}
    return {**info.versions, **made, "exported": datetime.now(UTC).date().isoformat()}


def generated_pictures(size: tuple[int, int], count: int = 8, seed: int = 0) -> list[Image]:
    """Make pictures of noise laid over gradients, coarse and fine, for where there are no real ones."""
    rng = np.random.default_rng(seed)
    shape = (size[0] + 11, size[1] + 4)
    rise, run = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    made = []
    for index in range(count):
        coarse = rng.integers(0, 256, (2 + index, 3 + index, 3), dtype=np.uint8)
        slope = (rise * rng.uniform(-1, 1) + run * rng.uniform(-1, 1))[:, :, None] * 128
        grain = rng.normal(0, 4 * index, (*shape, 3))
        made.append((resize(coarse, shape) * 0.5 + 64 + slope + grain).clip(0, 255).astype(np.uint8))
    return made
