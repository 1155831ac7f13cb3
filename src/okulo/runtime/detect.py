"""`okulo detect`: what is where, in pictures, video files and live streams."""

import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from okulo.algo.detect import detections_of
from okulo.core.errors import BadInput
from okulo.core.model import OVERLAP, THRESHOLD, ModelInfo, Threshold
from okulo.core.nouns import Detections, Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_aside, write_json
from okulo.io.images import encode_jpeg, read_image
from okulo.io.video import Writer, write_video
from okulo.runtime.draw import draw
from okulo.runtime.engines import ENGINES
from okulo.runtime.find import find_items
from okulo.runtime.modelfile import ModelFile, load
from okulo.runtime.sources import Frame, is_live, is_video, open_source

FORMATS = (".parquet", ".json")
TOGETHER = 2
"""Frames one worker answers at once: enough to work off in peace, few enough to stay in the cache."""
AHEAD = 3
"""Batches a worker may be behind what is read."""


@dataclass(frozen=True, kw_only=True)
class DetectParams(Params):
    """Find objects in pictures, a video, a camera or a stream, with a detector's model file.

    Writes one row an object: `path` (or `source`, `frame`, `time_s`), `x1` `y1` `x2` `y2` in pixels,
    `score`, `label`.
    """

    model: Path = param(help="model file of a detector", positional=True)
    sources: tuple[str, ...] = param(
        help="pictures, folders, globs or a table; or one video file, rtsp://… address, or camera:0",
        positional=True,
    )
    output: Path = param(help="file to write: .parquet or .json", short="o")
    draw: Path | None = param(None, help="also draw: a folder for pictures, an .mp4 for a video")
    threshold: float | None = param(
        None, help="score a box needs, in place of the model's own threshold", low=0, high=1
    )
    overlap: float | None = param(
        None, help="of two boxes of a class that overlap more (IoU), the better stays", low=0, high=1
    )
    labels: tuple[str, ...] = param((), help="only these classes (default: all)")
    every: int = param(1, help="of a video, take every nth frame", low=1, high=100_000)
    seconds: float | None = param(None, help="end after this much of a video or stream, s", low=0.001)
    engine: str = param("onnxruntime", help="what runs the network", choices=ENGINES)
    workers: int | None = param(None, help="threads (default: one a core)", low=1, high=256)


@dataclass(frozen=True)
class DetectReport:
    """What was found; `counts` is objects per class."""

    output: Path
    drawn: Path | None
    model: str
    pictures: int
    """Pictures or frames that were answered."""
    found: int
    counts: dict[str, int]
    threshold: float
    overlap: float
    findings: Findings
    seconds: float
    per_second: float
    outside: float
    """Share of the workers' time that was not spent in the network."""
    engine: str


@dataclass
class Clock:
    """How long the network ran, over all workers, s."""

    network_s: float = 0.0


@dataclass
class Rows:
    """The table while it grows."""

    where: list[str] = field(default_factory=list)
    frame: list[int] = field(default_factory=list)
    time_s: list[float] = field(default_factory=list)
    size: list[tuple[int, int]] = field(default_factory=list)
    found: list[Detections] = field(default_factory=list)

    def add(self, frame: Frame, found: Detections) -> None:
        """Add one picture's detections."""
        self.where.append(frame.source)
        self.frame.append(frame.number)
        self.time_s.append(frame.time_s)
        self.size.append((frame.image.shape[1], frame.image.shape[0]))
        self.found.append(found)


def run(params: DetectParams, progress: Progress = silent) -> DetectReport:
    """Answer every picture or frame, and write what was found."""
    video = _check(params)
    workers = params.workers or os.cpu_count() or 1
    model = load(params.model, params.engine, threads=1, callers=workers)
    model.info = info = settled(model.info, params)
    wanted = _wanted(info, params.labels)
    rows, clock = Rows(), Clock()
    broken: list[tuple[str, str, float, str]] = []
    start = time.perf_counter()
    with ExitStack() as stack:
        if video:
            source = stack.enter_context(open_source(params.sources[0]))
            frames, total = source.frames(params.every, params.seconds), source.count // params.every or None
        else:
            items, _ = find_items([Path(each) for each in params.sources])
            frames, total = _pictures(items.files(), items.frame["path"].to_list(), broken), len(items)
        answers = answer_frames(model, frames, workers, clock)
        artist = _Artist(params, info, stack)
        for frame, said in progress(answers, label="detecting", total=total):
            found = said if wanted is None else _only(said, wanted)
            rows.add(frame, found)
            artist.draw(frame, found)
    _write(params.output, rows, info, video=video)
    return _report(
        params, info, rows, Findings.of(broken), clock.network_s, time.perf_counter() - start, workers
    )


def settled(info: ModelInfo, params: DetectParams) -> ModelInfo:
    """Put what was asked for in place of what the file says."""
    if info.task != "detect":
        raise BadInput(str(params.model), wanted="a model that detects", got=f"task {info.task}")
    if params.threshold is not None:
        info = replace(info, threshold=Threshold(value=params.threshold, how="given"))
    return info if params.overlap is None else replace(info, overlap=params.overlap)


def _check(params: DetectParams) -> bool:
    """Whether the source is a video or stream; raise BadInput before any work is done."""
    if params.output.suffix not in FORMATS:
        raise BadInput("--output", wanted=f"a name ending in {', '.join(FORMATS)}", got=params.output.name,
                       hint="drawings go to --draw")  # fmt: skip
    if not params.sources:
        raise BadInput("sources", wanted="pictures, or a video", got="nothing")
    videos = [each for each in params.sources if is_live(each) or is_video(each)]
    if videos and len(params.sources) > 1:
        raise BadInput(
            "sources", wanted="one video, or pictures", got=f"{videos[0]} among {len(params.sources)}"
        )
    if any(map(is_live, videos)) and params.seconds is None:
        raise BadInput("--seconds", "a camera or stream has no end", hint="say for how long to watch")
    if params.draw is not None and bool(videos) != (params.draw.suffix == ".mp4"):
        wanted = "an .mp4 for a video" if videos else "a folder for pictures"
        raise BadInput("--draw", wanted=wanted, got=params.draw.name)
    return bool(videos)


def _wanted(info: ModelInfo, labels: Sequence[str]) -> np.ndarray | None:
    unknown = [name for name in labels if name not in info.classes]
    if unknown:
        few = ", ".join(info.classes[:8]) + (", …" if len(info.classes) > 8 else "")
        raise BadInput("--labels", wanted=f"classes of the model ({few})", got=", ".join(unknown))
    return np.isin(info.classes, labels) if labels else None


def _only(found: Detections, wanted: np.ndarray) -> Detections:
    keep = wanted[found.label]
    return Detections(found.xyxy[keep], found.score[keep], found.label[keep])


def _pictures(
    files: Sequence[Path], names: Sequence[str], broken: list[tuple[str, str, float, str]]
) -> Iterator[Frame]:
    """Read pictures one by one; what cannot be read is noted and left out."""
    for file, name in zip(files, names):
        try:
            image = read_image(file)
        except BadInput as error:  # one bad picture must not stop the rest
            broken.append((name, "unreadable", 1.0, str(error)))
            continue
        yield Frame(str(name), 0, 0.0, image)


def answer_frames(
    model: ModelFile, frames: Iterator[Frame], workers: int, clock: Clock
) -> Iterator[tuple[Frame, Detections]]:
    """Answer frames in order, a few at a time by each worker, while the next are read."""

    def answer(some: list[Frame]) -> tuple[list[Detections], float]:
        pixels = model.blank(len(some))
        for frame, row in zip(some, pixels):
            model.prepare(frame.image, row)
        begun = time.perf_counter()
        outputs = model.answer(pixels)
        spent = time.perf_counter() - begun
        rows = ({name: value[i] for name, value in outputs.items()} for i in range(len(some)))
        said = [model.finish(row, *frame.image.shape[:2]) for row, frame in zip(rows, some)]
        return [detections_of(each) for each in said], spent

    waiting: deque[tuple[list[Frame], Future[tuple[list[Detections], float]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while (some := list(islice(frames, TOGETHER))) or waiting:
                if some:
                    waiting.append((some, pool.submit(answer, some)))
                if not some or len(waiting) >= AHEAD * workers:
                    asked, said = waiting.popleft()
                    found, spent = said.result()
                    clock.network_s += spent
                    yield from zip(asked, found)
        finally:
            for _, said in waiting:
                said.cancel()


class _Artist:
    """Draws into a folder or a video, if that was asked for."""

    def __init__(self, params: DetectParams, info: ModelInfo, stack: ExitStack) -> None:
        self._to, self._classes, self._stack = params.draw, info.classes, stack
        self._video = params.draw is not None and params.draw.suffix == ".mp4"
        self._writer: Writer | None = None
        self._taken: Counter[str] = Counter()

    def draw(self, frame: Frame, found: Detections) -> None:
        """Draw one picture."""
        if self._to is None:
            return
        drawn = draw(frame.image, found, self._classes)
        if not self._video:
            stem = Path(frame.source).stem
            self._taken[stem] += 1
            name = stem if self._taken[stem] == 1 else f"{stem}-{self._taken[stem]}"
            with write_aside(self._to / f"{name}.jpg") as aside:
                aside.write_bytes(encode_jpeg(drawn))
            return
        if self._writer is None:
            height, width = drawn.shape[:2]
            self._writer = self._stack.enter_context(write_video(self._to, width=width, height=height))
        self._writer.write(drawn, frame.time_s)


def _write(output: Path, rows: Rows, info: ModelInfo, *, video: bool) -> None:
    if output.suffix == ".json":
        write_json(output, [_said(rows, index, info, video=video) for index in range(len(rows.found))])
        return
    with write_aside(output) as aside:
        table_of(rows, info, video=video).write_parquet(aside)


def table_of(rows: Rows, info: ModelInfo, *, video: bool) -> pl.DataFrame:
    """Lay the detections out, one row an object."""
    counts = [len(found) for found in rows.found]
    where = pl.Series("source" if video else "path", rows.where, dtype=pl.String)
    each = pl.DataFrame([where, pl.Series("frame", rows.frame, dtype=pl.Int64),
                         pl.Series("time_s", rows.time_s, dtype=pl.Float64)])  # fmt: skip
    index = np.repeat(np.arange(len(counts)), counts)
    each = each[index.tolist()] if len(index) else each.clear()
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(found.xyxy for found in rows.found)])
    score = np.concatenate([np.zeros(0, np.float32), *(found.score for found in rows.found)])
    label = np.concatenate([np.zeros(0, np.int32), *(found.label for found in rows.found)])
    names = [info.classes[index] for index in label]
    made = [pl.Series(name, boxes[:, i]) for i, name in enumerate(("x1", "y1", "x2", "y2"))]
    made += [pl.Series("score", score), pl.Series("label", names, dtype=pl.String)]
    each = each if video else each.drop("frame", "time_s")
    return each.with_columns(made)


def _said(rows: Rows, index: int, info: ModelInfo, *, video: bool) -> dict[str, object]:
    found, (width, height) = rows.found[index], rows.size[index]
    when: dict[str, object] = {"path": rows.where[index]}
    if video:
        when = {
            "source": rows.where[index],
            "frame": rows.frame[index],
            "time_s": round(rows.time_s[index], 6),
        }
    boxes = [
        {
            "label": info.classes[label],
            "score": round(float(score), 6),
            "box": [round(float(v), 3) for v in box],
        }
        for box, score, label in zip(found.xyxy, found.score, found.label)
    ]
    return {**when, "width": width, "height": height, "objects": boxes}


def _report(
    params: DetectParams, info: ModelInfo, rows: Rows, findings: Findings, network_s: float,
    seconds: float, workers: int,
) -> DetectReport:  # fmt: skip
    counts = Counter(info.classes[label] for found in rows.found for label in found.label)
    pictures = len(rows.found)
    return DetectReport(
        output=params.output,
        drawn=params.draw,
        model=info.name or params.model.name,
        pictures=pictures,
        found=sum(counts.values()),
        counts=dict(counts.most_common()),
        threshold=info.threshold.value if info.threshold else THRESHOLD,
        overlap=OVERLAP if info.overlap is None else info.overlap,
        findings=findings,
        seconds=seconds,
        per_second=pictures / max(seconds, 1e-9),
        outside=max(0.0, 1 - network_s / max(workers * seconds, 1e-9)),
        engine=params.engine,
    )
