"""Predictors in other processes and on other machines: the same answers, and nobody waits for the dead."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from okulo.core.errors import BadInput
from okulo.serve.isolated import Isolated
from okulo.serve.named import find_postprocess
from okulo.serve.refusals import Failed, WorkerDied
from okulo.serve.remote import Remote

PARTS = Path(__file__).parent / "parts"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PARTS))
    monkeypatch.setenv("PYTHONPATH", str(PARTS))


def objects(count: int, colour: float = 0.5, size: int = 3) -> list[dict[str, Any]]:
    return [{"index": index, "colour": np.full(size, colour + index, np.float32)} for index in range(count)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition: Any, timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_same_answers_from_another_process_and_inputs_untouched() -> None:
    other = Isolated("okulo_parts:Echo")
    try:
        assert list(other.predict([])) == []
        for count in (1, 7, 300):
            batch = objects(count)
            said = other.predict(batch)
            assert [each["index"] for each in said] == list(range(count))
            for mine, each in zip(batch, said):
                assert np.array_equal(each["colour"], 2 * mine["colour"])
                assert each["pid"] not in (os.getpid(), 0)
            assert np.array_equal(batch[0]["colour"], np.full(3, 0.5, np.float32))
    finally:
        pid = other.pid
        other.close()
    assert pid is not None
    assert not alive(pid)


def test_messages_larger_than_the_first_memory() -> None:
    other = Isolated("okulo_parts:Echo")
    try:
        for size in (1_000_000, 10, 3_000_000):
            (said,) = other.predict(objects(1, 0.5, size))
            assert np.array_equal(said["colour"], np.full(size, 1.0, np.float32))
    finally:
        other.close()


def test_a_killed_process_is_replaced_and_readiness_tells_the_truth() -> None:
    other = Isolated("okulo_parts:Echo")
    try:
        other.wait_ready()
        assert other.ready
        first = other.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: not other.ready)
        until(lambda: other.ready)
        assert other.pid != first
        assert other.restarts == 1
        assert other.predict(objects(1))[0]["pid"] == other.pid
        assert not alive(first)
    finally:
        other.close()


def test_death_in_the_middle_of_work_is_said_and_the_next_batch_works() -> None:
    other = Isolated("okulo_parts:Suicidal")
    try:
        with pytest.raises(WorkerDied, match="died"):
            other.predict(objects(1, 0.0))
        assert other.predict(objects(1, 0.5))[0]["index"] == 0
    finally:
        other.close()


def test_one_that_takes_too_long_counts_as_dead() -> None:
    other = Isolated("okulo_parts:Patient", patience_s=0.1)
    try:
        with pytest.raises(WorkerDied, match=r"longer than 0\.1 s"):
            other.predict(objects(1))
    finally:
        other.close()


def test_what_it_raises_is_told_and_it_lives_on() -> None:
    other = Isolated("okulo_parts:Picky")
    try:
        with pytest.raises(Failed, match="ValueError: too dark"):
            other.predict(objects(1, 0.0))
        pid = other.pid
        assert other.predict(objects(1, 0.5))[0]["pid"] == pid
    finally:
        other.close()


def test_one_that_cannot_start_is_not_ready_and_ends_when_asked() -> None:
    other = Isolated("okulo_parts:broken")
    try:
        until(lambda: other.restarts >= 2)
        assert not other.ready
        with pytest.raises(WorkerDied, match="could be started"):
            other.wait_ready(0.05)
    finally:
        began = time.monotonic()
        other.close()
    assert time.monotonic() - began < 5


def test_children_end_when_their_parent_is_killed() -> None:
    code = (
        "import os, sys, time\n"
        "from okulo.serve.isolated import Isolated\n"
        "other = Isolated('okulo_parts:Echo')\n"
        "other.wait_ready()\n"
        "print(other.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    import sys

    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        parent.wait(10)
    until(lambda: not alive(pid) or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z")


@pytest.mark.parametrize("name", ["okulo_parts", "nothing_here:factory", "okulo_parts:Nobody", "json:loads"])
def test_a_wrong_name_is_bad_input(name: str) -> None:
    with pytest.raises((BadInput, TypeError)):
        find_postprocess(name)


@pytest.mark.parametrize("url", ["localhost:1", "ftp://x", "http://"])
def test_a_wrong_url_is_bad_input(url: str) -> None:
    with pytest.raises(BadInput, match="http://host:port"):
        Remote(url)


def test_a_stage_that_is_not_there_is_said() -> None:
    with pytest.raises(WorkerDied, match="cannot be reached"):
        Remote("http://127.0.0.1:9", patience_s=0.2).predict(objects(1))
