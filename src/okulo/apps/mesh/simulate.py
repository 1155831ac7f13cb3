"""Meshes whose truth is known: a clean one, made or given, and noise of a known kind and size."""

from pathlib import Path

import numpy as np

from okulo.algo.mesh.estimate import noise_level
from okulo.algo.mesh.measure import normal_errors_deg
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.shapes import CAD, blob, part
from okulo.algo.mesh.topology import mean_edge_length, topology
from okulo.apps.mesh.params import SimulateParams, SimulateReport
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent
from okulo.io.meshes import check_written, join_same_points, read_mesh, write_mesh

SHAPES = (*CAD, "blob", "scan")


def run(params: SimulateParams, progress: Progress = silent) -> SimulateReport:
    """Make or read a clean mesh, spoil it, write both."""
    for path in (params.output, params.clean):
        if path is not None:
            check_written(path)
    if params.clean is not None and params.clean.resolve() == params.output.resolve():
        raise BadInput("clean", "is the same file as the output")
    rng = np.random.default_rng(params.seed)
    mesh = make(params.mesh, params.faces, rng) if params.mesh in SHAPES else _given(params.mesh)
    for _ in progress(range(1), label="spoiling"):
        noisy = add_noise(mesh, params.noise, params.level, rng)
    if params.clean is not None:
        write_mesh(params.clean, mesh)
    write_mesh(params.output, noisy)
    return SimulateReport(
        output=params.output,
        clean=params.clean,
        vertices=len(mesh.vertices),
        faces=len(mesh.faces),
        noise=params.noise,
        level=params.level,
        edge_length=mean_edge_length(mesh),
        normals_deg=float(normal_errors_deg(noisy, mesh).mean()),
        estimated=noise_level(noisy, topology(noisy)),
    )


def _given(name: str) -> Mesh:
    if "." not in name:
        raise BadInput(name, wanted=f"a mesh file, or one of {', '.join(SHAPES)}", got=repr(name))
    return join_same_points(read_mesh(Path(name)))[0]


def make(shape: str, faces: int, rng: np.random.Generator) -> Mesh:
    """Make a clean shape of about so many faces; spheres come in steps of four.

    >>> len(make("blob", 1000, np.random.default_rng(0)))
    1280
    """
    if shape in ("blob", "scan"):
        subdivisions = max(1, round(np.log(faces / 20) / np.log(4)))
        return blob(rng, int(subdivisions), 0.6 if shape == "scan" else 0.0)
    state = rng.bit_generator.state  # the same shape again, finer: faces go with 1 / step²
    step = 0.1
    for _ in range(4):
        rng.bit_generator.state = state
        step *= (len(part(rng, step, shape)) / faces) ** 0.5
    rng.bit_generator.state = state
    return part(rng, step, shape)
