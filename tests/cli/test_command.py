import errno
from dataclasses import dataclass
from pathlib import Path

import cyclopts
import pytest
from rich.console import Console

from okulo.cli.command import command, progress_bar
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress


@dataclass(frozen=True, kw_only=True)
class CopyParams(Params):
    """Copy things."""

    source: Path = param(help="what to copy", positional=True)
    times: int = param(1, help="how often", low=1)
    mode: str = param("fast", help="how", choices=("fast", "safe"))
    output: Path | None = param(None, help="where to", short="o")
    check: bool = param(True, help="look at it afterwards")


def run(params: CopyParams, progress: Progress) -> dict[str, object]:
    if params.source.name == "bad":
        raise BadInput("source", "is bad")
    if params.source.name == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")
    if params.source.name == "bug":
        raise ZeroDivisionError
    list(progress(range(3), label="copying"))
    return {"times": params.times, "mode": params.mode, "output": params.output, "check": params.check}


def show(report: dict[str, object], console: Console) -> None:
    console.print(f"copied {report['times']} times")


def call(*tokens: str) -> int:
    app = cyclopts.App(result_action="return_value")
    app.default(command(CopyParams, run, show))
    return app(tokens, exit_on_error=False)


def test_options_are_made_from_the_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("there", "--times", "2") == 0
    assert capsys.readouterr().out == "copied 2 times\n"
    assert call("there", "--mode", "safe", "-o", "x.txt", "--no-check", "--json") == 0
    assert capsys.readouterr().out.split() == [
        "{",
        '"times":',
        "1,",
        '"mode":',
        '"safe",',
        '"output":',
        '"x.txt",',
        '"check":',
        "false",
        "}",
    ]


def test_bounds_words_and_full_disks_end_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("there", "--times", "0") == 2
    assert capsys.readouterr().err == "okulo: times: expected a number ≥ 1, got 0\n"
    assert call("bad") == 2
    assert capsys.readouterr().err == "okulo: source: is bad\n"
    assert call("full") == 2
    assert capsys.readouterr().err == "okulo: /somewhere: No space left on device\n"
    with pytest.raises(cyclopts.CycloptsError):
        call("there", "--mode", "slow")


def test_a_bug_keeps_its_stack_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        call("bug")


def test_progress_is_quiet_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress_bar([1, 2], label="counting")) == [1, 2]
    assert capsys.readouterr() == ("", "")
