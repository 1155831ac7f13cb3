"""`okulo` as it is typed, in this process: starting Python and its libraries anew each time takes seconds."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from okulo.cli.main import main
from okulo.serve import logs

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run it; logging stays as the tests have it."""
    monkeypatch.setattr(logs, "set_up", lambda *_: None)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        words = [str(each) for each in arguments]
        monkeypatch.setattr(sys, "argv", ["okulo", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return subprocess.CompletedProcess(words, int(ended.value.code or 0), *capsys.readouterr())

    return run
