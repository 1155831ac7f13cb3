"""Learned methods: a model file says the normals, the vertices follow. No torch."""

from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from okulo.algo.mesh.describe import Senses, describe
from okulo.algo.mesh.estimate import noise_level
from okulo.algo.mesh.feeds import FEEDS, Described, put_together
from okulo.algo.mesh.methods import FOLLOW
from okulo.algo.mesh.normals import follow_normals, led_normals
from okulo.algo.mesh.topology import Topology, face_shapes
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent
from okulo.runtime.arrays import ArrayFile, load_arrays

OWN = "mesh-normals.okulo.onnx"

NO_NOISE = 1e-3
"""Below this noise level (of the mean edge length) there is nothing to take away."""


def find_sample(name: str) -> Path:
    """Find a file that comes with okulo: installed, or in a checkout."""
    package = Path(str(files("okulo")))
    for path in (package / "samples" / name, package.parents[1] / "samples" / name):
        if path.is_file():
            return path
    hint = "train one with `okulo mesh train` and name it with --model" if name == OWN else ""
    raise BadInput(name, "comes with okulo and is not there", hint=hint)


def find_model(given: Path | None) -> Path:
    """The model file that was named, or the one that comes with okulo."""
    return given or find_sample(OWN)


def open_model(given: Path | None) -> ArrayFile:
    """Open a mesh model; a file for anything else, or of a kind not known here, is BadInput."""
    path = find_model(given)
    model = load_arrays(path)
    if model.info.task != "normals" or model.info.architecture not in FEEDS:
        raise BadInput(
            str(path), wanted=f"a mesh model ({', '.join(FEEDS)})", got=repr(model.info.architecture)
        )
    try:
        Senses.from_notes(model.info.notes)
    except BadInput as error:
        raise BadInput(str(path), str(error)) from error
    return model


def denoise_learned(mesh: Mesh, near: Topology, model: ArrayFile, progress: Progress = silent) -> Mesh:
    """Denoise a mesh by a model's normals; a cascade goes on from what the stage before made.

    A mesh that has no noise at all (flat sides, straight edges) stays as it is.
    """
    noise = noise_level(mesh, near)
    if noise < NO_NOISE:
        return mesh
    senses = Senses.from_notes(model.info.notes)
    stages = int(model.info.notes.get("stages", 1))
    normals: Float32[np.ndarray, "f k 3"] | None = None
    for stage in range(stages):
        normals = describe(mesh, near, senses.filters, normals)
        wanted = _wanted(put_together(mesh, near, normals, senses, noise), model, stage, progress)
        last = stage + 1 == stages
        follow = FOLLOW if last else int(model.info.notes.get("stage_follow", FOLLOW))
        mesh = follow_normals(mesh, near, wanted, follow)
    return mesh


def _wanted(said: Described, model: ArrayFile, stage: int, progress: Progress) -> Float64[np.ndarray, "f 3"]:
    """The normals that the vertices are to follow."""
    wanted = answer(said, model, stage, progress)
    shapes = face_shapes(said.mesh.vertices, said.mesh.faces)
    if model.info.notes.get("led"):
        wanted = led_normals(shapes, said.near, wanted)
    wanted[shapes.areas == 0] = 0.0
    return wanted


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
