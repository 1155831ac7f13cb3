"""`okulo deploy`: write what another system needs to run the service."""

import re
from dataclasses import dataclass
from pathlib import Path

from okulo import __version__
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.runtime.modelfile import read_info
from okulo.serve.deploy.k8s import Cluster, network_stage, post_stage, render, write_folder
from okulo.serve.models import find_models
from okulo.serve.named import find_postprocess

TARGETS = ("k8s",)
DNS = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
SPEC = re.compile(r"[\w.:]+")


@dataclass(frozen=True, kw_only=True)
class DeployParams(Params):
    """Write what Kubernetes needs to serve models: a Dockerfile, and manifests whose stages scale apart.

    The folder is new and yours to change; nothing is sent anywhere.
    """

    target: str = param(help="k8s: Kubernetes", positional=True, choices=TARGETS)
    folder: Path = param(help="folder to write; it must be new or empty", positional=True)
    model: tuple[str, ...] = param(help="model file, NAME=FILE or NAME@VERSION=FILE; several times for more")
    name: str = param("okulo", help="what the service is called in the cluster")
    image: str = param("okulo:latest", help="what the image is called: registry/name:tag")
    postprocess: str = param("", help="post-processing, as its own stage: a name, or module:factory")
    install: tuple[str, ...] = param((), help="further Python packages for the image (your post-processing)")
    cpu: int = param(2, help="cores of one replica of the network", low=1, high=256)
    memory_mb: int = param(1024, help="memory of one", low=128)
    replicas_low: int = param(2, help="replicas of the network at least", low=1)
    replicas_high: int = param(10, help="and at most", low=1)
    post_cpu: int = param(4, help="cores of one replica of post-processing", low=1, high=256)
    post_memory_mb: int = param(1024, help="memory of one", low=128)
    post_low: int = param(2, help="replicas of post-processing at least", low=1)
    post_high: int = param(20, help="and at most", low=1)
    cpu_percent: int = param(70, help="more replicas above this use of their cores", low=1, high=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        for what, value, allowed, wanted in (
            ("name", self.name, DNS, "up to 40 small letters, digits and -, a letter first"),
            ("image", self.image, IMAGE, "registry/name:tag"),
            ("postprocess", self.postprocess or "x", SPEC, "a name, or module:factory"),
        ):
            if not allowed.fullmatch(value):
                raise BadInput(what, wanted=wanted, got=repr(value))
        for low, high in (("replicas-low", "replicas-high"), ("post-low", "post-high")):
            least = getattr(self, low.replace("-", "_"))
            most = getattr(self, high.replace("-", "_"))
            if least > most:
                raise BadInput(high, wanted=f"at least {low}, {least}", got=most)
        for each in self.install:
            if not each.strip() or "\n" in each or each.startswith("-"):
                raise BadInput("install", wanted="a package, as pip is told it", got=repr(each))


@dataclass(frozen=True)
class DeployReport:
    """What was written."""

    folder: Path
    files: list[str]
    models: list[str]
    stages: list[str]
    image: str


def run(params: DeployParams, progress: Progress = silent) -> DeployReport:
    """Write the folder; every model is read first."""
    del progress
    models = find_models(params.model)
    for path in models.values():
        read_info(path)
    stages = [
        network_stage(
            params.name,
            cpu=params.cpu,
            memory_mb=params.memory_mb,
            low=params.replicas_low,
            high=params.replicas_high,
            postprocess=params.postprocess,
            post_high=params.post_high,
        )
    ]
    if params.postprocess:
        if ":" not in params.postprocess:  # a built-in one; others need not be installed here
            find_postprocess(params.postprocess)
        size = {"cpu": params.post_cpu, "memory_mb": params.post_memory_mb}
        stages.append(
            post_stage(params.name, params.postprocess, **size, low=params.post_low, high=params.post_high)
        )
    cluster = Cluster(
        name=params.name,
        image=params.image,
        stages=stages,
        requirements=[f"okulo[serve]=={__version__}", *params.install],
        cpu_percent=params.cpu_percent,
    )
    files = write_folder(params.folder, render(cluster), models)
    names = [f"{name}@{version}" for name, version in models]
    return DeployReport(params.folder, files, names, [each.name for each in stages], params.image)
