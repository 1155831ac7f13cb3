"""What embeds pictures for searching: a model file, or the network-free descriptor."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from okulo.core.errors import BadInput
from okulo.core.protocols import Image
from okulo.search.pictures import Seeing


def see(model: str, crop: str) -> Seeing:
    """Open what `--model` names."""
    if model == "descriptor":
        from okulo.curate.descriptor import LENGTH, describe

        return Seeing(
            "descriptor 1", LENGTH, lambda images: np.stack([describe(each) for each in images]), model, crop
        )
    from okulo.cli.embed import fingerprint
    from okulo.runtime.modelfile import load

    path = Path(model)
    if not model:
        raise BadInput("model", "the index does not say where its model is", hint="--model names it")
    file = load(path, threads=1, batch_size=16, callers=os.cpu_count() or 1)
    if "embedding" not in file.outputs:
        raise BadInput(model, "has no output `embedding`", hint="`okulo backbone` makes one that has")
    length = int(file.answer(np.zeros_like(file.blank(1)))["embedding"].shape[1])

    def predict(images: Sequence[Image]) -> np.ndarray:
        return np.stack([answer["embedding"] for answer in file.predict(images)])

    return Seeing(fingerprint(path), length, predict, str(path.resolve()), crop)
