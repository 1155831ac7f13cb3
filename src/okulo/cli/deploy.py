"""`okulo deploy`: write what another system needs to run the service."""

from rich.console import Console

from okulo.cli.command import command
from okulo.core.errors import need

need("uvicorn", extra="serve", verb="okulo deploy")

from okulo.serve.deploy.command import DeployParams, DeployReport, run  # noqa: E402  # where it is installed


def show(report: DeployReport, console: Console) -> None:
    """Say what was written, and what comes next."""
    console.print(f"{report.folder}: {len(report.files)} files for {', '.join(report.models)}")
    console.print(f"stages that scale apart: {', '.join(report.stages)}")
    console.print(f"next: docker build -t {report.image} {report.folder}", soft_wrap=True)
    console.print(f"      kubectl apply -k {report.folder / 'kubernetes'}", soft_wrap=True)


deploy = command(DeployParams, run, show)
