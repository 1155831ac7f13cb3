"""`okulo serve --jobs` and `okulo work`: where jobs are kept, and who works them off."""

import asyncio
import logging
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.stores import sqlite_file
from okulo.serve.jobs.intake import Bounds
from okulo.serve.jobs.pack import Spool
from okulo.serve.jobs.routes import Desk
from okulo.serve.jobs.store import JobStore
from okulo.serve.jobs.work import Pace, Workers
from okulo.serve.params import MB, ServeParams, make_limits, make_plan
from okulo.serve.service import Service
from okulo.serve.settle import settle

log = logging.getLogger("okulo.serve.jobs")
SHARED = (
    "batch_size", "workers", "threads", "decoders", "engine", "compiled", "postprocess", "post_workers",
    "post_threads", "post_url", "max_body_mb", "max_megapixels",
)  # fmt: skip
"""What `okulo work` says as `okulo serve` does."""


def open_spool(jobs: str, folder: Path | None) -> Spool | None:
    """Open the folder of packs: the one given, or one beside an SQLite file."""
    file = sqlite_file(jobs)
    if folder is None and file is not None:
        folder = file.with_name(file.name + ".pictures")
    return None if folder is None else Spool(folder)


def check_roots(roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """Raise BadInput for a root that is no folder: a slip here would refuse every job."""
    for each in roots:
        if not each.is_dir():
            raise BadInput("jobs-root", wanted="a folder", got=str(each))
    return tuple(each.resolve() for each in roots)


def open_desk(params: ServeParams, service: Service) -> Desk:
    """Open the job store of a server."""
    roots = check_roots(params.jobs_root)
    store = JobStore(params.jobs)
    spool = open_spool(params.jobs, params.jobs_spool)
    pace = Pace(
        workers=params.jobs_workers,
        keep_s=params.jobs_keep_h * 3600,
        max_picture_bytes=service.limits.max_body_bytes,
    )
    workers = Workers(service, store, spool, roots, pace)
    bounds = Bounds(
        max_items=params.jobs_max_items,
        max_bytes=params.jobs_max_mb * MB,
        max_picture_bytes=service.limits.max_body_bytes,
        pause_s=service.limits.timeout_s,
    )

    def gauges() -> Iterator[tuple[str, str, dict[str, str], float]]:
        yield "okulo_job_items", "pictures of jobs that wait or are worked on", {}, workers.open_items
        yield "okulo_job_bytes", "bytes of pictures kept for jobs", {}, workers.open_bytes

    service.metrics.show_also(gauges)
    return Desk(service, store, spool, workers, roots, bounds)


@dataclass(frozen=True, kw_only=True)
class WorkParams(Params):
    """Work off jobs that `okulo serve --jobs` took in: in another process, or on another machine.

    Models are named as for `okulo serve`; a worker takes only jobs for models and versions it has.
    """

    models: tuple[str, ...] = param((), help="model files, or folders of them", positional=True)
    jobs: str = param(help="where the jobs are: an SQLite file, or postgresql://…")
    jobs_spool: Path | None = param(None, help="folder of the jobs' pictures (default: beside the file)")
    jobs_root: tuple[Path, ...] = param((), help="folders that jobs may name files in")
    jobs_workers: int = param(2, help="batches under way at once", low=1, high=64)
    jobs_batch: int = param(64, help="pictures fetched at once", low=1, high=4096)
    until_empty: bool = param(False, help="stop when no job is left to do")
    batch_size: int = param(32, help="the network answers up to so many pictures at once", low=1, high=1024)
    workers: int = param(0, help="batches answered at the same time; 0: one for 4 cores", low=0, high=256)
    threads: int = param(0, help="threads of the engine; 0: as many as there are cores", low=0, high=256)
    decoders: int = param(0, help="threads that decode pictures; 0: one for each core", low=0, high=256)
    engine: str = param("onnxruntime", help="what runs the network", choices=("onnxruntime", "openvino"))
    compiled: bool = param(False, help="resize large pictures faster, for 100 MB and a slower start")
    postprocess: str = param("", help="work on each answer: a name, or module:factory")
    post_workers: int = param(0, help="workers for it; 0: one for each core", low=0, high=256)
    post_threads: bool = param(False, help="run it in threads; good where it is mostly OpenCV or numpy")
    post_url: str = param("", help="run it on the service of `--stage postprocess` at this http://host:port")
    max_body_mb: int = param(32, help="largest picture file", low=1)
    max_megapixels: float = param(25.0, help="largest picture, decoded", low=0.001)


@dataclass(frozen=True)
class WorkReport:
    """What was done."""

    answered: int
    seconds: float
    left: int
    """Pictures of jobs that wait or are worked on, here or elsewhere."""


def run(params: WorkParams, progress: Progress = silent) -> WorkReport:
    """Work until SIGTERM or SIGINT, or until nothing is left."""
    del progress
    roots = check_roots(params.jobs_root)
    store = JobStore(params.jobs, create=False)
    as_served = ServeParams(models=params.models, **{name: getattr(params, name) for name in SHARED})
    service = Service(params.models, make_plan(as_served), make_limits(as_served))
    pace = Pace(
        workers=params.jobs_workers,
        batch=params.jobs_batch,
        max_picture_bytes=params.max_body_mb * MB,
        until_empty=params.until_empty,
    )
    workers = Workers(service, store, open_spool(params.jobs, params.jobs_spool), roots, pace)
    started = time.monotonic()
    try:
        service.open()
        settle()
        log.info("working off jobs of %s with %s", store.name, service.about())
        asyncio.run(_until_stopped(service, workers))
        left = store.open_items()[0]
    finally:
        service.close(10.0)
        store.close()
    return WorkReport(workers.answered, time.monotonic() - started, left)


async def _until_stopped(service: Service, workers: Workers) -> None:
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, workers.ask_to_stop)
    watch = asyncio.ensure_future(service.watch())
    workers.start()
    try:
        await asyncio.to_thread(workers.join)
    finally:
        watch.cancel()
        await asyncio.to_thread(workers.stop)
