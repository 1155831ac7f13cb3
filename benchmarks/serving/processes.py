"""Servers and loads as processes: started, measured by the CPU time of the whole tree, and ended."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent


def tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and all below it, those that ended with them."""
    total = 0.0
    for each in tree(pid):
        try:
            said = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += said.user + said.system
    return total


def rss_mb(pid: int) -> float:
    return sum(each.memory_info().rss for each in tree(pid)) / 1e6


@contextmanager
def running(command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> Iterator[Any]:
    """A server in its own session, ended with everything it started."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield process
    finally:
        below = tree(process.pid) if process.poll() is None else []
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        for each in below:
            if each.is_running():
                each.kill()
        process.wait(10)


def ask(port: int, request: bytes, timeout_s: float = 5.0) -> bytes:
    """Send a request's bytes, read the answer to its end; empty if there is none."""
    import socket

    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as one:
            one.sendall(request)
            answer = b""
            while b"probab" not in answer and b"order" not in answer and len(answer) < 65536:
                some = one.recv(65536)
                if not some:
                    break
                answer += some
            return answer
    except OSError:
        return b""


def wait_up(process: Any, port: int, request: bytes, log: Path, timeout_s: float = 90.0) -> None:
    end = time.monotonic() + timeout_s
    while not ask(port, request).startswith(b"HTTP/1.1 200"):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"not up: {log.read_text(errors='replace')[-300:]}")
        time.sleep(0.1)


def machine_s() -> float:
    """CPU seconds of everything on this machine."""
    said = psutil.cpu_times()
    return said.user + said.system + said.nice + said.irq + said.softirq


def load(port: int, request: Path, clients: int, seconds: float, pid: int, rate: float = 0) -> dict[str, Any]:
    """Run the load in its own process; adds the server's CPU-milliseconds for each good answer.

    `others_cores`: how many cores anything else on the machine kept busy meanwhile.
    """
    command = [sys.executable, str(HERE / "load.py"), "127.0.0.1", str(port), str(request)]
    command += [str(clients), str(seconds), str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before, all_before = cpu_s(pid), machine_s()
        process.stdout.readline()
        after, all_after = cpu_s(pid), machine_s()
        said: dict[str, Any] = json.loads(process.stdout.readline())
    others_s = all_after - all_before - (after - before) - said["client_cpu_s"]
    said["others_cores"] = max(0.0, others_s / said["seconds"])
    said["server_cpu_ms"] = 1e3 * (after - before) / max(1, said["good"])
    return said


def status(port: int, path: str) -> int:
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
