"""Denoise a mesh file: read, look, choose, filter, check, write."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Int64

from okulo.algo.graphs import connected_components
from okulo.algo.mesh.estimate import noise_level, taken_off
from okulo.algo.mesh.measure import MeshErrors, measure, normal_errors_deg
from okulo.algo.mesh.methods import NUMBERS, Recipe
from okulo.algo.mesh.noise import vertex_normals
from okulo.algo.mesh.order import put_in_order
from okulo.algo.mesh.topology import (
    Topology,
    face_shapes,
    find_defects,
    mean_edge_length,
    topology,
    volume,
)
from okulo.apps.mesh.auto import LEARNED, Choice, choose, sharpness
from okulo.apps.mesh.learned import open_model
from okulo.apps.mesh.params import DenoiseParams, DenoiseReport
from okulo.apps.mesh.preview import change_deg, write_preview
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent
from okulo.io.meshes import check_written, join_same_points, read_mesh, write_mesh
from okulo.runtime.arrays import ArrayFile

T = TypeVar("T")

SHARP_SHARE = 0.5
"""A surface whose sharp edges hold more than this share of its bending is said to be a machine part."""


@dataclass
class Clock:
    """How long each part took, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    def time(self, name: str, work: Callable[[], T]) -> T:
        """Do the work and note its time."""
        start = time.perf_counter()
        done = work()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        return done


def run(params: DenoiseParams, progress: Progress = silent) -> DenoiseReport:
    """Denoise one file; nothing is written unless all of it went well."""
    check_names(params)
    clock = Clock()
    model = open_model(params.model) if params.method in ("auto", LEARNED) else None
    given = clock.time("read", lambda: read_mesh(params.mesh))
    noisy, truth, which = clock.time("order", lambda: _lay_out(given, params.truth))
    near = clock.time("neighbours", lambda: topology(noisy))
    choice = clock.time("choose", lambda: decide(params, noisy, near, model))
    clean = clock.time("denoise", lambda: choice.apply(noisy, near, progress))
    if params.keep_volume:
        clean = keep_volume(clean, noisy, near)
    report = clock.time("report", lambda: _report(params, choice, noisy, clean, near, truth, clock))
    clock.time("write", lambda: _write(params, report, given, noisy, clean, which, truth))
    return report


def check_names(params: DenoiseParams) -> None:
    """Raise BadInput for what could not be written in the end, before hours of work."""
    check_written(params.output)
    if params.model and params.method not in ("auto", LEARNED):
        raise BadInput("model", f"is not used by --method {params.method}")
    if params.preview and params.preview.suffix.lower() != ".png":
        raise BadInput("preview", wanted="a name that ends in .png", got=params.preview.name)
    if params.page:
        from okulo.apps.mesh.page import check_built

        if params.page.suffix.lower() not in (".html", ".htm"):
            raise BadInput("page", wanted="a name that ends in .html", got=params.page.name)
        check_built()
    written = [each.resolve() for each in (params.output, params.preview, params.page) if each]
    if len(set(written)) < len(written) or params.mesh.resolve() in written:
        raise BadInput(
            "output", "would overwrite another file of this command", hint="give each its own name"
        )


def _lay_out(given: Mesh, truth: Path | None) -> tuple[Mesh, Mesh | None, Int64[np.ndarray, " v"]]:
    """Join vertices at one place and put the mesh in order, its truth too; which vertex became which."""
    joined, which = join_same_points(given)
    true = _truth(truth, given, which, joined)
    ordered = put_in_order(joined)
    if true is not None:
        vertices = np.empty_like(true.vertices)
        vertices[ordered.which] = true.vertices
        true = Mesh(vertices, ordered.mesh.faces)
    return ordered.mesh, true, ordered.which[which]


def _truth(path: Path | None, given: Mesh, which: Int64[np.ndarray, " v"], noisy: Mesh) -> Mesh | None:
    """Read the true mesh and place its vertices as those of the noisy one were joined."""
    if path is None:
        return None
    truth = read_mesh(path)
    if not np.array_equal(truth.faces, given.faces) or len(truth.vertices) != len(given.vertices):
        joined, _ = join_same_points(truth)
        if np.array_equal(joined.faces, noisy.faces) and len(joined.vertices) == len(noisy.vertices):
            return joined
        got = f"{len(truth.vertices):,} and {len(truth.faces):,} others"
        wanted = f"the same {len(given.vertices):,} vertices and {len(given.faces):,} faces, moved"
        raise BadInput(str(path), wanted=wanted, got=got)
    vertices = np.empty_like(noisy.vertices)
    vertices[which] = truth.vertices
    return Mesh(vertices, noisy.faces)


def decide(params: DenoiseParams, noisy: Mesh, near: Topology, model: ArrayFile | None) -> Choice:
    """Take the recipe that was asked for, or let `auto` choose one."""
    given = {name: getattr(params, name) for name in NUMBERS if getattr(params, name) is not None}
    if params.method in ("auto", LEARNED) and given:
        raise BadInput(
            next(iter(given)), f"{params.method} has no such number", hint="name a --method to set it"
        )
    if params.method == "auto":
        assert model is not None
        return choose(noisy, near, np.random.default_rng(params.seed), model)
    recipe = None if params.method == LEARNED else Recipe(method=params.method, **given)
    return Choice(noise=noise_level(noisy, near), recipe=recipe, model=model)


def keep_volume(mesh: Mesh, like: Mesh, near: Topology) -> Mesh:
    """Scale each closed component about its centre to the volume it had in `like`; open ones stay.

    >>> from okulo.algo.mesh.shapes import sphere
    >>> ball = sphere(2)
    >>> small = Mesh(ball.vertices * 0.9, ball.faces)
    >>> bool(np.allclose(keep_volume(small, ball, topology(ball)).vertices, ball.vertices))
    True
    """
    pairs = np.concatenate([mesh.faces[:, :2], mesh.faces[:, 1:]])
    number = connected_components(len(mesh.vertices), pairs)
    of_face = number[mesh.faces[:, 0]]
    count = int(number.max()) + 1
    is_open = np.bincount(of_face, (near.across < 0).any(axis=1), count) > 0
    sizes = np.bincount(number, minlength=count)[:, None]
    volumes, centres = [], []
    for each in (mesh, like):
        centre = np.stack([np.bincount(number, each.vertices[:, d], count) for d in range(3)], axis=1) / sizes
        a, b, c = ((each.vertices - centre[number])[mesh.faces[:, k]] for k in range(3))
        volumes.append(np.bincount(of_face, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6, count))
        centres.append(centre)
    mine, wanted = volumes
    usable = ~is_open & (mine * wanted > 0)
    scale = np.ones(count)
    scale[usable] = np.cbrt(wanted[usable] / mine[usable])
    moved = (mesh.vertices - centres[0][number]) * scale[number][:, None] + centres[0][number]
    return Mesh(moved, mesh.faces)


def folded(mesh: Mesh) -> int:
    """Count the faces that look against the normals of all three of their vertices."""
    normals = face_shapes(mesh.vertices, mesh.faces).normals
    around = vertex_normals(mesh)
    against = np.stack(
        [np.einsum("ij,ij->i", normals, around[mesh.faces[:, k]]) < 0 for k in range(3)], axis=1
    )
    return int(against.all(axis=1).sum())


def _report(
    params: DenoiseParams,
    choice: Choice,
    noisy: Mesh,
    clean: Mesh,
    near: Topology,
    truth: Mesh | None,
    clock: Clock,
) -> DenoiseReport:
    length = mean_edge_length(noisy) or 1.0
    way = np.linalg.norm(clean.vertices - noisy.vertices, axis=1) / length
    defects = find_defects(noisy, near)
    whole = defects.boundary_edges == 0 and volume(noisy) != 0
    errors: list[MeshErrors | None] = [
        measure(each, truth, near) if truth is not None else None for each in (noisy, clean)
    ]
    sharp = sharpness(clean, near)
    taken = taken_off(noisy, clean, near)
    return DenoiseReport(
        output=params.output,
        vertices=len(noisy.vertices),
        faces=len(noisy.faces),
        method=choice.recipe.method if choice.recipe else choice.name,
        numbers=choice.recipe.numbers() if choice.recipe else {},
        kind="machine part" if sharp > SHARP_SHARE else "organic",
        sharpness=sharp,
        tried=choice.tried,
        edge_length=length,
        noise_before=choice.noise,
        noise_after=noise_level(clean, near),
        taken=taken,
        noise_kind=taken.kind if taken.size > 0 else "none",
        turned_deg=float(change_deg(noisy, clean).mean()),
        moved=float(way.mean()),
        moved_most=float(way.max()),
        volume_change=volume(clean) / volume(noisy) - 1 if whole else None,
        volume_kept=params.keep_volume,
        defects=defects,
        folded_faces=folded(clean),
        before=errors[0],
        after=errors[1],
        seconds=clock.seconds,
        preview=params.preview,
        page=params.page,
    )


def _write(
    params: DenoiseParams,
    report: DenoiseReport,
    given: Mesh,
    noisy: Mesh,
    clean: Mesh,
    which: np.ndarray,
    truth: Mesh | None,
) -> None:
    if truth is not None:
        values, meaning = normal_errors_deg(clean, truth), "error of normals after"
    else:
        values, meaning = change_deg(noisy, clean), "how far normals turned"
    if params.preview:
        write_preview(params.preview, noisy, clean, values, meaning)
    if params.page:
        from okulo.apps.mesh.page import write_page

        write_page(params.page, params.mesh.name, noisy, clean, values, meaning, _summary(report))
    write_mesh(params.output, Mesh(clean.vertices[which], given.faces))


def _summary(report: DenoiseReport) -> str:
    numbers = " ".join(f"{name} {value:g}" for name, value in report.numbers.items())
    return (
        f"{report.faces:,} faces, {report.method} {numbers}".rstrip()
        + f"; noise {report.noise_before:.3f} → {report.noise_after:.3f} of the mean edge length"
    )
