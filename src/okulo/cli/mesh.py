"""`okulo mesh`: denoise a mesh, train what denoises better, make pairs whose truth is known."""

import cyclopts
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.apps.mesh.denoise import run as run_denoise
from okulo.apps.mesh.params import DenoiseParams, DenoiseReport, SimulateParams, SimulateReport
from okulo.apps.mesh.simulate import run as run_simulate
from okulo.cli.command import command


def show_denoise(report: DenoiseReport, console: Console) -> None:
    """Print what was done, what it changed, and what is unusual about the mesh."""
    numbers = " ".join(f"{name} {value:g}" for name, value in report.numbers.items())
    console.print(f"{report.kind}: sharp edges hold {report.sharpness:.0%} of its bending")
    if report.method == "none":
        console.print("hardly any noise: the mesh is left as it is")
    else:
        console.print(f"[bold]{escape(report.method)}[/bold] {escape(numbers)}")
    if report.tried:
        said = "; ".join(f"{name} {error:.2f}°" for name, error in report.tried[:3])
        console.print(
            f"likely error of normals, of {len(report.tried)} tried: {escape(said)}",
            style="dim",
            soft_wrap=True,
        )
    console.print(_noise(report), highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("", "before", "after"):
        table.add_column(head, justify="right" if head else "left")
    table.add_row("noise, of the mean edge length", f"{report.noise_before:.3f}", f"{report.noise_after:.3f}")
    if report.before and report.after:
        for label, name, unit in (
            ("error of normals", "normals_deg", "°"),
            ("distance to the truth, in edges", "distance", ""),
            ("error at sharp edges", "sharp_edges_deg", "°"),
        ):
            values = getattr(report.before, name), getattr(report.after, name)
            if None not in values:
                table.add_row(label, *(f"{value:.2f}{unit}" if unit else f"{value:.3f}" for value in values))
    console.print(table)
    volume = "" if report.volume_change is None else f", volume {report.volume_change:+.2%}"
    kept = " (brought back)" if report.volume_kept else ""
    console.print(
        f"normals turned {report.turned_deg:.1f}° on average, vertices moved {report.moved:.3f} edges "
        f"(at most {report.moved_most:.2f}){volume}{kept}"
    )
    _show_defects(report, console)
    times = ", ".join(f"{name} {value:.2f} s" for name, value in report.seconds.items() if value >= 0.005)
    console.print(f"{report.vertices:,} vertices, {report.faces:,} faces; {times}", style="dim")
    for what, path in (("clean mesh", report.output), ("preview", report.preview), ("page", report.page)):
        if path:
            console.print(f"{what}: {escape(str(path))}", soft_wrap=True)


def _noise(report: DenoiseReport) -> str:
    """Say in words what was taken off."""
    taken = report.taken
    if report.noise_kind == "none":
        return "nothing was taken off"
    if report.noise_kind == "sparse":
        return (
            f"noise in single vertices: about {taken.share:.0%} of them were off by {taken.far:.2f} edges, "
            f"the others by {taken.rest:.2f}"
        )
    said = f"noise: vertices were off by {taken.size:.2f} edges"
    if report.noise_kind == "shared":
        return f"{said}, neighbours alike ({taken.alike:.2f}): stripes, or detail of the surface itself"
    return f"{said}, each by itself"


def _show_defects(report: DenoiseReport, console: Console) -> None:
    defects = report.defects
    counts = {
        "components": defects.components if defects.components > 1 else 0,
        "open edges": defects.boundary_edges,
        "edges of three or more faces": defects.nonmanifold_edges,
        "faces without area": defects.degenerate_faces,
        "vertices without a face": defects.unused_vertices,
    }
    said = [f"{count:,} {name}" for name, count in counts.items() if count]
    if said:
        console.print(f"kept as they are: {', '.join(said)}")
    if report.folded_faces:
        console.print(f"[yellow]{report.folded_faces:,} faces are still folded over[/yellow]")


def show_simulate(report: SimulateReport, console: Console) -> None:
    """Print what was made."""
    console.print(
        f"{report.vertices:,} vertices, {report.faces:,} faces; {report.noise} noise of {report.level:g} × "
        f"mean edge length ({report.edge_length:.4g}): normals are off by {report.normals_deg:.1f}°"
    )
    console.print(f"denoising would estimate {report.estimated:.3f}", style="dim")
    for what, path in (("noisy", report.output), ("clean", report.clean)):
        if path:
            console.print(f"{what}: {escape(str(path))}", soft_wrap=True)


mesh = cyclopts.App(
    name="mesh",
    help="Take the noise out of triangle meshes and keep their edges.",
    help_epilogue="Each takes --quiet (no progress bars) and --json (print the report as JSON).",
)
mesh.command(command(DenoiseParams, run_denoise, show_denoise), name="denoise")
mesh.command(command(SimulateParams, run_simulate, show_simulate), name="simulate")
mesh.command(
    "okulo.cli.mesh_train:train", name="train", help="Train a network that denoises better than any filter."
)
