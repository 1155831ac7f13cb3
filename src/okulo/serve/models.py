"""The models being served: found by name and version, loaded, replaced when their file changes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from okulo.core.errors import BadInput
from okulo.core.model import CANDIDATES, ModelInfo
from okulo.core.protocols import Predictor
from okulo.serve.batcher import Watch
from okulo.serve.decode import Answers, Network, Prepare, Prepared, Seen
from okulo.serve.isolated import Isolated
from okulo.serve.named import Postprocess, find_postprocess
from okulo.serve.network import open_network
from okulo.serve.plan import Plan
from okulo.serve.raystage import ON_RAY, RayStage
from okulo.serve.remote import Remote
from okulo.serve.settle import give_memory_back
from okulo.serve.stages import Pipeline, Stage

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
Key = tuple[str, str]
"""Name and version."""
Mark = tuple[int, int, int]
"""What changes when a file does: mtime, size, inode."""


@dataclass(frozen=True)
class Output:
    """One named output: its type and its shape without the batch."""

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]


DETECTED = (
    Output("boxes", np.dtype(np.float32), (-1, 4)),
    Output("scores", np.dtype(np.float32), (-1,)),
    Output("labels", np.dtype(np.int32), (-1,)),
)
"""What a detector says of a picture: as many rows as objects were found."""


@dataclass(eq=False)
class Served:
    """One version of one model, at work."""

    name: str
    version: str
    path: Path
    mark: Mark
    info: ModelInfo
    outputs: tuple[Output, ...]
    pipeline: Pipeline
    has_result: bool = False
    """Whether post-processing adds a `result`."""
    held: int = 0
    """Requests that have chosen this version and are not answered; it is closed when there are none."""


def find_models(arguments: Sequence[str]) -> dict[Key, Path]:
    """Name the model files meant: `cat.onnx`, `cat@2.onnx`, `name@version=file`, or a folder of these.

    In a folder, `<name>/<version>/model.onnx` counts too. Without a version it is "1".
    """
    found: dict[Key, Path] = {}
    for argument in arguments:
        said, equals, rest = argument.rpartition("=")
        if equals and NAME.match(said):
            pairs = [(said, Path(rest))]
        elif Path(argument).is_dir():
            pairs = _in_folder(Path(argument))
        else:
            pairs = [(_stem(Path(argument)), Path(argument))]
        for label, path in pairs:
            name, _, version = label.partition("@")
            key = (name, version or "1")
            if not (NAME.fullmatch(name) and NAME.fullmatch(key[1])):
                raise BadInput(f"model name {label!r}", wanted="letters, digits, _ . -", hint="NAME=FILE")
            if key in found and found[key] != path:
                raise BadInput(
                    f"model {name}, version {key[1]}",
                    f"is both {found[key]} and {path}",
                    hint="NAME@VERSION=FILE",
                )
            found[key] = path
    if not found:
        raise BadInput(
            "models", wanted="at least one model file", got="none", hint="`okulo export` makes one"
        )
    return found


def _stem(path: Path) -> str:
    return path.name.removesuffix(".onnx").removesuffix(".okulo")


def _in_folder(folder: Path) -> list[tuple[str, Path]]:
    flat = [(_stem(path), path) for path in sorted(folder.glob("*.onnx"))]
    deep = [
        (f"{path.parents[1].name}@{path.parent.name}", path) for path in sorted(folder.glob("*/*/model.onnx"))
    ]
    return flat + deep


def version_order(version: str) -> tuple[tuple[int, int, str], ...]:
    """Sort versions as people do.

    >>> sorted(["10", "9", "1.2"], key=version_order)
    ['1.2', '9', '10']
    """
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def mark_of(path: Path) -> Mark:
    """What changes when the file does; a missing file is BadInput."""
    try:
        said = path.stat()
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    return said.st_mtime_ns, said.st_size, said.st_ino


def load_served(key: Key, path: Path, plan: Plan, watch: Watch | None = None) -> Served:
    """Open a model file, try it on one black picture, and put its stages to work."""
    mark = mark_of(path)
    info, model = open_network(path, plan)
    outputs = _try_out(path, model)
    pipeline = Pipeline(
        stages_of(model, plan), max_items=plan.max_items, max_bytes=plan.max_bytes, watch=watch
    )
    give_memory_back()
    return Served(key[0], key[1], path, mark, info, outputs, pipeline, bool(plan.postprocess))


def _try_out(path: Path, model: Network) -> tuple[Output, ...]:
    try:
        said = model.answer(model.prepare(np.zeros((8, 8, 3), np.uint8))[None])
        if CANDIDATES[0] in said:
            return DETECTED
    except Exception as error:  # whatever the engine raises: this file cannot be served
        raise BadInput(str(path), f"cannot answer a black picture ({error})") from error
    return tuple(Output(name, value.dtype, value.shape[1:]) for name, value in said.items())


def stages_of(model: Network, plan: Plan) -> list[Stage]:
    """The pipeline of a model file: decode → network → post-processing (if any), as data."""
    stages = [
        Stage(
            name="decode", make=lambda: Prepare(model, plan.max_pixels), workers=plan.decoders, batch_size=4
        ),
        Stage(
            name="network",
            make=lambda: Answers(model),
            workers=plan.workers,
            batch_size=plan.batch_size,
            interval_ms=plan.interval_ms,
            key=_shape,
        ),
    ]
    return [*stages, post_stage(plan)] if plan.postprocess else stages


def _shape(prepared: Prepared) -> tuple[int, ...]:
    return prepared.pixels.shape


def post_stage(plan: Plan) -> Stage:
    """Post-processing as a stage: each picture's objects are split over all its workers."""
    post: Postprocess = find_postprocess(plan.postprocess)

    def split(seen: Seen) -> Sequence[object]:
        return post.split(seen.answer, seen.height, seen.width)

    def join(seen: Seen, results: Sequence[object]) -> Seen:
        made = post.join(seen.answer, seen.height, seen.width, results)
        return Seen(seen.answer, seen.height, seen.width, made)

    def make() -> "Predictor[Any, Any]":
        if plan.post_url == ON_RAY:
            return RayStage()
        if plan.post_url:
            return Remote(plan.post_url, key=plan.post_key)
        return post if plan.post_threads else Isolated(plan.postprocess)

    return Stage(name="postprocess", make=make, workers=plan.post_workers, split=split, join=join)
