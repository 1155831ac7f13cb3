"""What embeds pictures for searching: a model file, or the network-free descriptor."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from okulo.cli.embed import fingerprint
from okulo.core.errors import BadInput
from okulo.core.protocols import Image
from okulo.search.pictures import CROPS, Seeing, main_object


def see(model: str, crop: str) -> Seeing:
    """Open what `--model` names."""
    if crop not in CROPS:
        seeing, cutter, named = see(model, "none"), _detector(Path(crop)), fingerprint(Path(crop))
        whole = str(Path(crop).resolve())
        return replace(seeing, name=f"{seeing.name} {named}", crop=whole, cutter=cutter)
    if model == "descriptor":
        if crop == "attention":
            raise BadInput("crop", "attention needs a network; the descriptor has none", hint="try `object`")
        from okulo.curate.descriptor import LENGTH, describe

        return Seeing(
            "descriptor 1", LENGTH, lambda images: np.stack([describe(each) for each in images]), model, crop
        )
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

    seeing = Seeing(fingerprint(path), length, predict, str(path.resolve()), crop)
    if crop == "attention":
        from okulo.runtime.attention import load_attention

        return replace(seeing, cutter=load_attention(path, file=file))
    return seeing


def _detector(path: Path) -> Callable[[Image], Image]:
    """Cut pictures by what a detector's model file finds in them."""
    from okulo.algo.detect import detections_of
    from okulo.runtime.modelfile import load

    if not path.is_file():
        raise BadInput(
            "crop", wanted=f"one of {', '.join(CROPS)}, or a detector's model file", got=repr(str(path))
        )
    file = load(path, threads=1, batch_size=1, callers=os.cpu_count() or 1)
    if file.info.task != "detect":
        raise BadInput(str(path), f"is a model to {file.info.task}", hint="--crop takes one that detects")

    def cut(image: Image) -> Image:
        return main_object(image, detections_of(file.predict([image])[0]))

    return cut
