"""Learned methods: a model file says the normals, the vertices follow. No torch."""

from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from okulo.algo.mesh.describe import describe, describe_again, surface_of
from okulo.algo.mesh.estimate import noise_level
from okulo.algo.mesh.feeds import FEEDS, Described
from okulo.algo.mesh.methods import FOLLOW
from okulo.algo.mesh.normals import follow_normals, led_normals
from okulo.algo.mesh.topology import Topology, face_shapes
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent
from okulo.runtime.arrays import ArrayFile, load_arrays

OWN = "mesh-normals.okulo.onnx"


def find_model(given: Path | None) -> Path:
    """The model file that was named, or the one that comes with okulo."""
    if given is not None:
        return given
    package = Path(str(files("okulo")))
    for path in (package / "samples" / OWN, package.parents[1] / "samples" / OWN):
        if path.is_file():
            return path
    hint = "train one with `okulo mesh train` and name it with --model"
    raise BadInput("method learned", "okulo's own model is not installed", hint=hint)


def open_model(given: Path | None) -> ArrayFile:
    """Open a mesh model; a file for anything else, or of a kind not known here, is BadInput."""
    path = find_model(given)
    model = load_arrays(path)
    if model.info.task != "normals" or model.info.architecture not in FEEDS:
        raise BadInput(
            str(path), wanted=f"a mesh model ({', '.join(FEEDS)})", got=repr(model.info.architecture)
        )
    return model


def denoise_learned(mesh: Mesh, near: Topology, model: ArrayFile, progress: Progress = silent) -> Mesh:
    """Denoise a mesh by a model's normals; a cascade goes on from what the stage before made."""
    described = describe(mesh, near)
    surface = surface_of(described, noise_level(mesh, near))
    stages = int(model.info.notes.get("stages", 1))
    for stage in range(stages):
        said = Described(mesh, near, described, surface)
        normals = answer(said, model, stage, progress)
        shapes = face_shapes(mesh.vertices, mesh.faces)
        if model.info.notes.get("led"):
            normals = led_normals(shapes, near, normals)
        normals[shapes.areas == 0] = 0.0
        last = stage + 1 == stages
        follow = FOLLOW if last else int(model.info.notes.get("stage_follow", FOLLOW))
        mesh = follow_normals(mesh, near, normals, follow)
        if not last:
            described = describe_again(mesh, near, described)
    return mesh


def answer(
    said: Described, model: ArrayFile, stage: int = 0, progress: Progress = silent
) -> Float64[np.ndarray, "f 3"]:
    """The model's normal for every face; where several pieces answer for one, their mean."""
    total = np.zeros((len(said.normals), 3))
    for feed in progress(FEEDS[model.info.architecture](said), label="asking the model"):
        got = model.run({**feed.inputs, "stage": np.array([stage])})["normals"]
        np.add.at(total, feed.faces[feed.counts], got[feed.counts])
    sizes = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(sizes, 1e-12))
