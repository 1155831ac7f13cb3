"""`okulo footprints`: building outlines, regular, from what a segmentation network said."""

from rich.console import Console
from rich.table import Table

from okulo.apps.footprints.command import FileReport, FootprintParams, FootprintReport, run
from okulo.cli.command import command

SHOWN = 20


def show(report: FootprintReport, console: Console) -> None:
    """Say what was found and what became of it."""
    if len(report.files) == 1:
        _one(report.files[0], console)
    else:
        table = Table("input", "buildings", "regular", "IoU", "corners", box=None)
        for each in report.files[:SHOWN]:
            regular = each.buildings - each.status.get("kept", 0) - each.status.get("simplified", 0)
            iou = "" if each.mean_iou is None else f"{each.mean_iou:.3f}"
            table.add_row(
                each.source.name, f"{each.buildings:,}", f"{regular:,}", iou, f"{each.vertices_after:,}"
            )
        console.print(table)
        if len(report.files) > SHOWN:
            console.print(f"… and {len(report.files) - SHOWN:,} more")
    console.print(f"{report.seconds:.2f} s", style="dim")


def _one(said: FileReport, console: Console) -> None:
    fewer = said.vertices_before / said.vertices_after if said.vertices_after else 0
    console.print(f"{said.out}: {said.buildings:,} buildings", soft_wrap=True)
    if said.buildings:
        what = ", ".join(f"{count:,} {name}" for name, count in said.status.items())
        console.print(f"  {what}")
        console.print(
            f"  {said.vertices_after:,} corners of {said.vertices_before:,} points ({fewer:.0f} × fewer)"
            + (f", mean overlap with the mask {said.mean_iou:.3f}" if said.mean_iou is not None else "")
        )
    where = said.crs or "no CRS: pixels, y down" if said.unit == "px" else said.crs
    console.print(f"  lengths in {said.unit}; mask in {where}")
    for note in said.notes:
        console.print(f"  note: {note}")


footprints = command(FootprintParams, run, show)
