"""What may be said of a server on the command line, and the plan, the limits and the service made of it."""

import os
from dataclasses import dataclass
from pathlib import Path

from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.serve.plan import Plan
from okulo.serve.service import Limits, Service

STAGES = ("all", "postprocess")
MB = 1 << 20
KEY_VARIABLE = "OKULO_API_KEY"


@dataclass(frozen=True, kw_only=True)
class ServeParams(Params):
    """Serve model files over HTTP: pictures in, labels out; Open Inference Protocol v2; dynamic batching.

    A model is FILE, NAME=FILE or NAME@VERSION=FILE; a folder of model files serves all of them.
    """

    models: tuple[str, ...] = param((), help="model files, or folders of them", positional=True)
    host: str = param("127.0.0.1", help="address to listen on; 0.0.0.0 for all")
    port: int = param(8080, help="port; 0 takes a free one", low=0, high=65535)
    stage: str = param("all", help="serve the whole pipeline, or post-processing alone", choices=STAGES)
    batch_size: int = param(32, help="the network answers up to so many pictures at once", low=1, high=1024)
    interval_ms: float = param(0.0, help="wait so long for a batch to fill; 0 is best on a CPU", low=0)
    workers: int = param(0, help="batches answered at the same time; 0: one for 4 cores", low=0, high=256)
    threads: int = param(0, help="threads of the engine; 0: as many as there are cores", low=0, high=256)
    decoders: int = param(0, help="threads that decode pictures; 0: one for each core", low=0, high=256)
    engine: str = param("onnxruntime", help="what runs the network: onnxruntime, openvino; or ray")
    replicas: int = param(4, help="with --engine ray: replicas of a stage at most", low=1)
    compiled: bool = param(False, help="resize large pictures faster, for 100 MB and a slower start")
    postprocess: str = param("", help="work on each answer: a name, or module:factory")
    post_workers: int = param(0, help="workers for it; 0: one for each core", low=0, high=256)
    post_threads: bool = param(False, help="run it in threads; good where it is mostly OpenCV or numpy")
    post_url: str = param("", help="run it on the service of `--stage postprocess` at this http://host:port")
    queue_items: int = param(1024, help="more pictures inside at once are refused (429)", low=1)
    queue_mb: int = param(512, help="more megabytes inside at once are refused (429)", low=1)
    max_body_mb: int = param(32, help="longest request", low=1)
    max_megapixels: float = param(25.0, help="largest picture, decoded", low=0.001)
    max_images: int = param(64, help="most pictures in one request", low=1)
    timeout_s: float = param(30.0, help="longest time for an answer", low=0.01)
    api_key_file: Path | None = param(None, help=f"file with the key clients must send (or ${KEY_VARIABLE})")
    cors: tuple[str, ...] = param((), help="pages (https://host) that may ask from a browser; * for all")
    drain_s: float = param(0.0, help="after SIGTERM stay up, not ready, so long before stopping", low=0)
    stop_s: float = param(20.0, help="then give requests in flight so long to finish", low=1)
    log_requests: bool = param(False, help="one line in the log for every request")
    search: tuple[str, ...] = param(
        (), help="search pages too: INDEX or NAME=INDEX is shown at /search/NAME/ (with its own model)"
    )
    jobs: str = param("", help="take jobs of many pictures too, kept in this SQLite file or postgresql://…")
    jobs_root: tuple[Path, ...] = param((), help="folders that jobs may name files in; none: uploads only")
    jobs_spool: Path | None = param(None, help="folder for jobs' pictures (default: beside the SQLite file)")
    jobs_workers: int = param(2, help="batches of jobs under way at once; 0: `okulo work` does them", low=0)
    jobs_max_items: int = param(10_000, help="most pictures in one job", low=1)
    jobs_max_mb: int = param(1024, help="longest form of one job", low=1)
    jobs_keep_h: float = param(168.0, help="results are kept so many hours after the end", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.search and (self.engine == "ray" or self.stage != "all"):
            raise BadInput(
                "search", "is not served on Ray or by a stage alone", hint="`okulo search-app` serves it"
            )


@dataclass(frozen=True)
class ServeReport:
    """How it ended."""

    requests: int | None
    """None where that is not counted here (on Ray)."""
    seconds: float


def make_plan(params: ServeParams) -> Plan:
    """Say how each model's stages are built."""
    cores = len(os.sched_getaffinity(0))
    workers, threads = share_out(params, cores)
    return Plan(
        batch_size=params.batch_size,
        interval_ms=params.interval_ms,
        workers=workers,
        threads=threads,
        decoders=params.decoders or cores,
        engine=params.engine,
        compiled=params.compiled,
        postprocess=params.postprocess,
        post_workers=params.post_workers or cores,
        post_threads=params.post_threads,
        post_url=params.post_url,
        post_key=os.environ.get(KEY_VARIABLE, ""),
        max_items=params.queue_items,
        max_bytes=params.queue_mb * MB,
        max_pixels=round(params.max_megapixels * 1e6),
    )


def share_out(params: ServeParams, cores: int) -> tuple[int, int]:
    """Say how many batches are answered at once, and on how many threads of the engine.

    ONNX Runtime's threads help whichever batches are under way: with them a lone request has all cores.
    Other engines give each batch its own.

    >>> share_out(ServeParams(), 2), share_out(ServeParams(), 16)
    ((1, 2), (4, 13))
    >>> share_out(ServeParams(engine="openvino"), 2)
    (2, 1)
    """
    if params.engine.startswith("openvino"):
        return params.workers or cores, params.threads or 1
    workers = params.workers or max(1, cores // 4)
    return workers, params.threads or max(1, cores - workers + 1)


def make_service(params: ServeParams) -> Service:
    """Make the service, not yet open."""
    return Service(params.models, make_plan(params), make_limits(params))


def make_limits(params: ServeParams) -> Limits:
    """What one request may ask for."""
    return Limits(
        max_body_bytes=params.max_body_mb * MB, max_images=params.max_images, timeout_s=params.timeout_s
    )


def read_key(params: ServeParams) -> str:
    """The key clients must send, from the file or the environment; empty: none is asked for."""
    if params.api_key_file is None:
        return os.environ.get(KEY_VARIABLE, "").strip()
    try:
        key = params.api_key_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(str(params.api_key_file), f"cannot be read ({error})") from error
    if not key:
        raise BadInput(str(params.api_key_file), "is empty", hint="put the key into it, on one line")
    return key
