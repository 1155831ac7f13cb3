"""`okulo embed`: model file or descriptor, on this machine or on Ray."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.markup import escape

from okulo.cli.command import command
from okulo.core.errors import BadInput, need
from okulo.core.protocols import Progress
from okulo.core.vectors import Embedded, Embedder
from okulo.curate.embed import EmbedParams, EmbedReport, run

if TYPE_CHECKING:
    from okulo.curate.embed_ray import Worker

SHOWN = 3


def embed_items(params: EmbedParams, progress: Progress) -> EmbedReport:
    """Wire the engine and the model together, and run."""
    if params.root and params.engine != "ray":
        raise BadInput("--root", "needs --engine ray", hint="local paths start from the table's folder")
    return run(params, choose_embedder(params), progress)


def choose_embedder(params: EmbedParams) -> Embedder:
    """Open what `--model` and `--engine` name; the table is not looked at yet."""
    workers = params.workers or os.cpu_count() or 1
    if params.engine == "ray":
        return _on_ray(params, workers)
    if params.model == "descriptor":
        from okulo.curate.embed import descriptor_embedder

        return descriptor_embedder(workers)
    return model_embedder(Path(params.model), params.batch, workers)


def model_embedder(path: Path, batch: int, workers: int) -> Embedder:
    """Embed with a model file on all cores of this machine."""
    from okulo.runtime.answer_files import answer_files
    from okulo.runtime.modelfile import load

    model = load(path, threads=1, batch_size=batch, callers=workers)
    if "embedding" not in model.outputs:
        raise BadInput(str(path), "has no output `embedding`", hint="`okulo backbone` makes one that has")
    length = int(model.answer(np.zeros_like(model.blank(1)))["embedding"].shape[1])

    def embed(files: Sequence[str]) -> Iterator[Embedded]:
        for row in answer_files(model, [Path(file) for file in files], ["embedding"], batch, workers):
            yield Embedded(row.answer["embedding"] if row.answer else None, row.error)

    return Embedder(fingerprint(path), length, embed)


def _on_ray(params: EmbedParams, workers: int) -> Embedder:
    need("ray", extra="ray", verb="okulo embed --engine ray")
    from okulo.curate.descriptor import LENGTH
    from okulo.curate.embed_ray import ray_embedder

    if params.model == "descriptor":
        return ray_embedder("descriptor 1", LENGTH, describing_worker, params.batch, workers)
    here = model_embedder(Path(params.model), params.batch, 1)
    data = Path(params.model).read_bytes()  # sent along: other machines need not have the file
    return ray_embedder(
        here.name, here.length, partial(model_worker, data, params.batch), params.batch, workers
    )


def describing_worker() -> "Worker":
    """Make what an actor answers with, without a network."""
    from okulo.curate.embed import describe_bytes

    return lambda pictures: [describe_bytes(data) for data in pictures]


def model_worker(model: bytes, batch: int) -> "Worker":
    """Make what an actor answers with: the model file, one thread."""
    import tempfile

    from okulo.io.images import decode
    from okulo.runtime.modelfile import load

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.okulo.onnx"
        path.write_bytes(model)
        predictor = load(path, threads=1, batch_size=batch)

    def answer(pictures: Sequence[bytes]) -> list[Embedded]:
        said: list[Embedded] = []
        images = []
        for data in pictures:
            try:
                images.append(decode(data))
                said.append(Embedded(None))
            except BadInput as error:  # one bad picture must not stop the rest
                said.append(Embedded(None, str(error)))
        vectors = iter(predictor.predict(images))
        return [each if each.error else Embedded(next(vectors)["embedding"]) for each in said]

    return answer


def fingerprint(path: Path) -> str:
    """Name a model file by its bytes."""
    import hashlib

    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def show(report: EmbedReport, console: Console) -> None:
    """Print how many got a vector, how fast, and what to do next."""
    name = report.model if report.model == "descriptor" else Path(report.model).name
    console.print(
        f"[bold]{report.embedded:,}[/bold] vectors of {report.length} values by {escape(name)} "
        f"in {report.seconds:.1f} s ({report.per_second:,.0f} a second)"
    )
    if report.resumed:
        console.print(f"{report.resumed:,} rows were done already, by a run that was stopped")
    if len(report.findings):
        console.print(f"[yellow]{len(report.findings):,} could not be read and have none:[/yellow]")
        for item, _, _, reason in report.findings.frame.head(SHOWN).rows():
            console.print(f"[yellow]  {escape(item)}: {escape(reason)}[/yellow]", soft_wrap=True)
    console.print(f"column {escape(report.column)} added to {escape(str(report.output))}", soft_wrap=True)


embed = command(EmbedParams, embed_items, show)
