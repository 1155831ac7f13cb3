"""`okulo export`: a trained network as one checked model file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from onnx import ModelProto

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.protocols import Answer, Image, Progress, silent
from okulo.core.table import Items, fingerprint
from okulo.export.join import join
from okulo.export.network_graph import network_graph
from okulo.export.params import ExportParams
from okulo.export.parity import Parity
from okulo.export.quantise import Quantised, check_drop, share_right, share_same, to_int8
from okulo.export.triton import write_triton
from okulo.export.write import versions, write_graph
from okulo.io.files import read_json, write_aside
from okulo.io.images import read_image
from okulo.io.tables import read_items
from okulo.nets.bundle import load_bundle
from okulo.runtime.graph import read_model
from okulo.runtime.modelfile import ModelFile, load

PARITY_PICTURES = 12
CHECK_ORDER = ("val", "test", "train")
"""Where int8 is checked; the threshold and the final figures want the test split untouched, so val first."""


@dataclass(frozen=True)
class ExportReport:
    """What was written and what it was proven on."""

    path: Path
    bytes: int
    classes: int
    folded: int
    parity: Parity
    quantised: Quantised | None
    triton: tuple[Path, ...]


def run(params: ExportParams, progress: Progress = silent) -> ExportReport:
    """Export, prove, and — where asked — quantise and lay out for Triton; what fails leaves no file."""
    bundle = load_bundle(params.run, params.weights)
    name = params.name or params.output.name.partition(".")[0]
    licence = params.licence or bundle.info.licence
    bundle = replace(bundle, info=replace(bundle.info, name=name, licence=licence))
    if params.quantize != "none" and bundle.info.task == "detect":
        raise BadInput("--quantize int8", "is not there for detectors", hint="leave it out")
    items = _items(params, bundle.info.data)
    if params.quantize == "int8" and items is None:
        raise BadInput("--quantize int8", "needs pictures to set its ranges on", hint="give --items a table")
    rng = np.random.default_rng(params.seed)
    pictures, on = _pictures(items, rng)
    network, folded = network_graph(bundle)
    with write_aside(params.output) as aside:
        parity = write_graph(network, bundle, aside, pictures, on)
        quantised = None
        if params.quantize == "int8" and items is not None:
            quantised = _quantise(params, bundle.info, network, aside, items, progress)
            check_drop(quantised, params.max_drop, params.force)
    triton = () if params.triton is None else write_triton(read_model(params.output), params.triton, name)
    size = params.output.stat().st_size
    return ExportReport(params.output, size, len(bundle.info.classes), folded, parity, quantised, triton)


def _items(params: ExportParams, data: str) -> Items | None:
    """The table named, or the one the run was trained on, where it still is and still the same."""
    if params.items is not None:
        return read_items(params.items)
    config = params.run / "config.json"
    said = read_json(config) if config.is_file() else {}
    named = said.get("params", said).get("items") if isinstance(said, dict) else None
    if not isinstance(named, str):
        return None
    for path in (Path(named), params.run.parent / named):
        if path.is_file():
            items = read_items(path)
            if not data or fingerprint(items.frame) == data:
                return items
    return None


def _pictures(items: Items | None, rng: np.random.Generator) -> tuple[Sequence[Image], str]:
    if items is None:
        return (), ""
    found = [image for image, _ in _read(_drawn(items, 3 * PARITY_PICTURES, rng))][:PARITY_PICTURES]
    return (found, f"{len(found)} pictures of the table") if found else ((), "")


def _drawn(items: Items, count: int, rng: np.random.Generator) -> Items:
    rows = np.sort(rng.permutation(len(items))[:count])
    return replace(items, frame=items.frame[rows.tolist()])


def _read(items: Items) -> Iterator[tuple[Image, str | None]]:
    """Give each picture that can be read with its label."""
    labels = items.frame["label"] if "label" in items.frame.columns else [None] * len(items)
    for file, label in zip(items.files(), labels):
        try:
            yield read_image(file), label
        except BadInput:  # a broken picture is scan's to report
            continue


def _quantise(
    params: ExportParams, info: ModelInfo, network: ModelProto, path: Path, items: Items, progress: Progress
) -> Quantised:
    """Replace the float file at `path` by its int8 form if that keeps enough of the answers."""
    rng = np.random.default_rng(params.seed)
    split = next((each for each in CHECK_ORDER if _holds(items, each)), "all")
    train = items.in_split("train") if _holds(items, "train") else items
    drawn = _drawn(train, params.calibrate, rng)
    exact = load(path)
    batches = _batches(exact, progress(_read(drawn), label="calibrating", total=len(drawn)))
    small = to_int8(network, batches)
    before = path.stat().st_size
    info = replace(info, notes={**info.notes, "quantised": "int8, per channel, QDQ"}, versions=versions(info))
    path.write_bytes(join(small, info).SerializeToString(deterministic=True))
    checked = _drawn(items.in_split(split) if split != "all" else items, params.check, rng)
    pictures = progress(_read(checked), label="comparing", total=len(checked))
    answers, others, labels = _both(exact, load(path), pictures)
    right = [share_right(each, info.classes, labels) if labels else None for each in (answers, others)]
    sizes = before, path.stat().st_size
    return Quantised(len(drawn), len(answers), split, right[0], right[1], share_same(answers, others), *sizes)


def _holds(items: Items, split: str) -> bool:
    return "split" in items.frame.columns and bool((items.frame["split"] == split).any())


def _batches(file: ModelFile, pictures: Iterable[tuple[Image, str | None]]) -> Iterator[np.ndarray]:
    """Make batches of `pixels`, calibration's food."""
    for batch in _chunks(pictures, 16):
        yield np.stack([file.prepare(image) for image, _ in batch])


def _both(
    file: ModelFile, other: ModelFile, pictures: Iterable[tuple[Image, str | None]]
) -> tuple[list[Answer], list[Answer], list[str]]:
    """Answer the same pictures with two files; labels only if every picture has one."""
    answers: list[Answer] = []
    others: list[Answer] = []
    labels: list[str | None] = []
    for batch in _chunks(pictures, 32):
        images = [image for image, _ in batch]
        answers += file.predict(images)
        others += other.predict(images)
        labels += [label for _, label in batch]
    if not answers:
        raise BadInput("table", "none of its pictures can be read")
    known = [label for label in labels if label is not None]
    return answers, others, known if len(known) == len(labels) and file.info.classes else []


T = TypeVar("T")


def _chunks(things: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting = iter(things)
    while batch := list(islice(waiting, size)):
        yield batch
