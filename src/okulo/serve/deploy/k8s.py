"""Kubernetes: a Dockerfile, and one manifest a stage, made of templates that read as what they make."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from okulo import __version__
from okulo.core.errors import BadInput
from okulo.serve.models import Key

USER = 10001
PORT = 8080
DRAIN_S = 5
"""Not ready, but still answering: until every node has heard that this pod is going."""
STOP_S = 30


@dataclass(frozen=True, kw_only=True)
class StageFiles:
    """One stage: what is run, how large, how many."""

    component: str
    about: str
    name: str
    arguments: tuple[str, ...]
    cpu: int
    memory_mb: int
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """All that the templates are filled with."""

    name: str
    image: str
    stages: Sequence[StageFiles]
    requirements: Sequence[str]
    cpu_percent: int


def network_stage(
    name: str, *, cpu: int, memory_mb: int, low: int, high: int, postprocess: str = "", post_high: int = 0
) -> StageFiles:
    """The network, and all that clients talk to.

    Cores are said outright: inside a container, Python sees those of the whole node.
    """
    arguments = ["/models", *_always(), "--workers", str(cpu), "--threads", "1", "--decoders", str(cpu)]
    if postprocess:
        url = f"http://{name}-postprocess:{PORT}"
        arguments += ["--postprocess", postprocess, "--post-url", url, "--post-workers", str(2 * post_high)]
    return StageFiles(
        component="network", about="The network and all that clients talk to", name=name,
        arguments=tuple(arguments), cpu=cpu, memory_mb=memory_mb, low=low, high=high,
    )  # fmt: skip


def post_stage(name: str, postprocess: str, *, cpu: int, memory_mb: int, low: int, high: int) -> StageFiles:
    """Post-processing, as its own service."""
    arguments = ("--stage", "postprocess", "--postprocess", postprocess, "--post-workers", str(cpu))
    return StageFiles(
        component="postprocess", about="Post-processing", name=f"{name}-postprocess",
        arguments=(*arguments, *_always()), cpu=cpu, memory_mb=memory_mb, low=low, high=high,
    )  # fmt: skip


def _always() -> tuple[str, ...]:
    listen = ("--host", "0.0.0.0", "--port", str(PORT))  # noqa: S104  # inside a pod
    return (*listen, "--drain-s", str(DRAIN_S), "--stop-s", str(STOP_S))


def render(cluster: Cluster) -> dict[str, str]:
    """Fill the templates: file name → text."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701  # no HTML
    known = {
        **vars(cluster), "version": __version__, "user": USER, "port": PORT, "drain_s": DRAIN_S,
        "stop_s": STOP_S,
    }  # fmt: skip

    def fill(template: str, **more: object) -> str:
        text = (files("okulo.serve.deploy") / "templates" / template).read_text(encoding="utf-8")
        return environment.from_string(text).render(**known, **more)

    made = {"Dockerfile": fill("Dockerfile"), "README.md": fill("README.md")}
    made[".dockerignore"] = "*\n!models\n!wheels\n"
    manifests = [f"{stage.component}.yaml" for stage in cluster.stages]
    for stage, manifest in zip(cluster.stages, manifests):
        made[f"kubernetes/{manifest}"] = fill("stage.yaml", stage=stage)
    listed = "".join(f"  - {each}\n" for each in manifests)
    made["kubernetes/kustomization.yaml"] = (
        f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{listed}"
    )
    dashboard = files("okulo.serve") / "grafana.json"
    made["grafana.json"] = dashboard.read_text(encoding="utf-8")
    return made


def write_folder(folder: Path, texts: dict[str, str], models: dict[Key, Path]) -> list[str]:
    """Write a new folder, whole or not at all: the texts, the models, room for wheels; the files' names."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(str(folder), "is there already, and not empty", hint="nothing is overwritten")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise BadInput(str(folder), f"cannot be written ({error.strerror})") from error
    try:
        for name, text in texts.items():
            (aside / name).parent.mkdir(exist_ok=True)
            (aside / name).write_text(text, encoding="utf-8")
        for name in ("models", "wheels"):
            (aside / name).mkdir()
        (aside / "wheels" / ".keep").touch()
        for (name, version), path in models.items():
            copy = aside / "models" / f"{name}@{version}.onnx"
            shutil.copyfile(path, copy)
            copy.chmod(0o644)  # the image runs as another user
        aside.chmod(0o755)
        aside.replace(folder)
    except OSError as error:
        raise BadInput(str(folder), f"cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())
