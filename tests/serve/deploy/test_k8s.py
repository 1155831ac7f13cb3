"""Kubernetes' own schemas accept the manifests, and the parts agree with each other and with the app."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from okulo.core.errors import BadInput
from okulo.serve.app import make_app
from okulo.serve.deploy.command import DeployParams, run
from okulo.serve.params import ServeParams
from okulo.serve.service import Service

VERSIONS = ("1.30", "1.37")
KINDS = ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"]
Documents = dict[str, dict[str, Any]]


def write(tmp_path: Path, colours: Path, **more: Any) -> Path:
    folder = tmp_path / "cluster"
    run(DeployParams(target="k8s", folder=folder, model=(f"colours@3={colours}",), **more))
    return folder


def read(folder: Path, stage: str) -> Documents:
    documents = list(yaml.safe_load_all((folder / "kubernetes" / f"{stage}.yaml").read_text()))
    assert [each["kind"] for each in documents] == KINDS
    return {each["kind"]: each for each in documents}


@pytest.fixture
def both(tmp_path: Path, colours: Path) -> dict[str, Documents]:
    more = {"name": "vision", "image": "registry.local/team/vision:1.2", "postprocess": "outlines"}
    folder = write(tmp_path, colours, **more)
    return {stage: read(folder, stage) for stage in ("network", "postprocess")}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_published_schemas_accept_every_manifest(both: dict[str, Documents], version: str) -> None:
    for stage in both.values():
        for document in stage.values():
            kubernetes_validate.validate(document, version, strict=True)
    broken = both["network"]["Deployment"]
    broken["spec"]["template"]["spec"]["containers"][0]["readOnlyFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):  # it does look
        kubernetes_validate.validate(broken, version, strict=True)


def test_the_parts_of_each_stage_agree(both: dict[str, Documents]) -> None:
    for stage, documents in both.items():
        deployment, service = documents["Deployment"], documents["Service"]
        labels = deployment["spec"]["selector"]["matchLabels"]
        assert labels["app.kubernetes.io/component"] == stage
        assert deployment["spec"]["template"]["metadata"]["labels"] == labels
        assert service["spec"]["selector"] == labels
        assert documents["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
        target = documents["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
        assert "replicas" not in deployment["spec"]  # else applying it again would undo the autoscaler
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        (port,) = container["ports"]
        said = container["args"]
        assert int(said[said.index("--port") + 1]) == port["containerPort"]
        assert service["spec"]["ports"][0]["targetPort"] == port["name"]
        notes = deployment["spec"]["template"]["metadata"]["annotations"]
        assert int(notes["prometheus.io/port"]) == port["containerPort"]
    labels = [each["Deployment"]["spec"]["selector"]["matchLabels"] for each in both.values()]
    assert labels[0] != labels[1]


def test_the_network_sends_to_the_service_of_post_processing(both: dict[str, Documents]) -> None:
    said = both["network"]["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    service = both["postprocess"]["Service"]
    url = f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert said[said.index("--post-url") + 1] == url


def test_okulo_serve_takes_the_arguments(both: dict[str, Documents]) -> None:
    for stage in both.values():
        said = stage["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
        options = {a.removeprefix("--").replace("-", "_"): b for a, b in pairwise(said) if a[:2] == "--"}
        known = ServeParams(models=("x",), **{k: _typed(v) for k, v in options.items()})
        assert known.host == "0.0.0.0"
        pod = stage["Deployment"]["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > known.drain_s + known.stop_s
        cores = int(pod["containers"][0]["resources"]["requests"]["cpu"])
        assert (known.post_workers if known.stage == "postprocess" else known.workers) == cores


def _typed(text: str) -> Any:
    return int(text) if text.isdigit() else text


def test_probes_ask_what_the_app_answers_without_a_key(both: dict[str, Documents]) -> None:
    app: Any = make_app(Service(["x"]), key="secret")
    routes = {route.path for route in app._cold.routes}
    for stage in both.values():
        (container,) = stage["Deployment"]["spec"]["template"]["spec"]["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container[probe]["httpGet"]
            assert asked["path"] in routes
            assert asked["path"].startswith(app._open)
            assert asked["port"] == container["ports"][0]["name"]
        notes = stage["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        assert notes["prometheus.io/path"] in routes


def test_nothing_runs_as_root_or_writes_outside_tmp(both: dict[str, Documents]) -> None:
    for stage in both.values():
        pod = stage["Deployment"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert [each["mountPath"] for each in container["volumeMounts"]] == ["/tmp"]
        assert set(container["resources"]) == {"requests", "limits"}


def test_the_image(tmp_path: Path, colours: Path) -> None:
    folder = write(tmp_path, colours, install=("my-areas>=2",))
    text = (folder / "Dockerfile").read_text()
    steps = [line.split(maxsplit=1) for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]
    assert [what for name, what in steps if name == "USER"] == ["10001:10001"]
    for name, what in steps:
        if name == "COPY" and "--from" not in what:
            assert (folder / what.split()[0]).is_dir()
    (install,) = [json.loads(what) for name, what in steps if name == "RUN" and what.startswith("[")]
    assert install[-1] == "my-areas>=2"
    assert install[-2].startswith("okulo[serve]==")
    assert (folder / "models" / "colours@3.onnx").read_bytes() == colours.read_bytes()
    assert list(yaml.safe_load((folder / "kubernetes" / "kustomization.yaml").read_text())["resources"]) == [
        "network.yaml"
    ]
    assert not (folder / "kubernetes" / "postprocess.yaml").exists()
    assert json.loads((folder / "grafana.json").read_text())["panels"]
    assert "{{" not in text + (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"name": "My Service"}, "name: expected up to 40 small letters"),
        ({"image": "x; rm -rf /"}, "image: expected registry/name:tag"),
        ({"postprocess": "a b"}, "postprocess: expected a name"),
        ({"postprocess": "outlins"}, "postprocess: expected one of outlines"),
        ({"replicas_low": 5, "replicas_high": 4}, "replicas-high: expected at least replicas-low, 5, got 4"),
        ({"install": ("--index-url=http://x",)}, "install: expected a package"),
    ],
)
def test_bad_input_writes_nothing(tmp_path: Path, colours: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        write(tmp_path, colours, **more)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, colours: Path) -> None:
    folder = write(tmp_path, colours)
    with pytest.raises(BadInput, match="is there already, and not empty"):
        write(tmp_path, colours)
    assert len(list(tmp_path.iterdir())) == 1
    assert (folder / "Dockerfile").exists()
