"""Examine many files on several processes: in order, with flat memory, and none can bring the rest down.

Plain child processes on pipes rather than a pool: they need no guarded `__main__`, end with us even when we
are killed, and when a decoder crashes on a hostile file it is known which file that was.
"""

import contextlib
import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from okulo.io.examine import Bounds, Examined, examine

CHUNK = 128
"""Files that are handed out at once."""
WORTH_A_PROCESS = 2000
"""Starting a process costs about as much as examining so many small files."""
WORKER = (sys.executable, "-m", "okulo.io.examine")


def examine_all(
    paths: Sequence[str], bounds: Bounds, *, processes: int = 1, command: Sequence[str] = WORKER
) -> Iterator[Examined]:
    """Examine files in order; `processes` 1 means here, in this process."""
    if processes <= 1:
        yield from (examine(path, bounds) for path in paths)
        return
    idle: SimpleQueue[_Worker] = SimpleQueue()
    workers = [_Worker(bounds, command) for _ in range(processes)]
    for worker in workers:
        idle.put(worker)

    def ask(chunk: Sequence[str]) -> list[Examined]:
        worker = idle.get()
        try:
            return worker.ask(chunk)
        finally:
            idle.put(worker)

    pool = ThreadPoolExecutor(processes)
    waiting: deque[Future[list[Examined]]] = deque()
    try:
        for start in range(0, len(paths), CHUNK):
            waiting.append(pool.submit(ask, paths[start : start + CHUNK]))
            if len(waiting) > 2 * processes:  # no further ahead: memory stays flat
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        for worker in workers:
            worker.stop()
        pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """One child process; started when first asked, and again after it died."""

    def __init__(self, bounds: Bounds, command: Sequence[str]) -> None:
        self._command = [*command, json.dumps(bounds._asdict())]
        self._child: subprocess.Popen[str] | None = None
        self._stopped = False

    def ask(self, paths: Sequence[str]) -> list[Examined]:
        answers = self._answers(paths)
        if answers is None and len(paths) == 1:
            return [Examined(problem="unreadable", reason="a decoder crashed on it")]
        if answers is None:  # one of them killed it: find out which
            return [examined for path in paths for examined in self.ask([path])]
        return answers

    def _answers(self, paths: Sequence[str]) -> list[Examined] | None:
        if self._stopped:
            return [Examined()] * len(paths)  # nobody is waiting any more
        if self._child is None:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is ours to handle; closing the pipes ends the child
            )
        child = self._child
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(json.dumps(list(paths)) + "\n")
            child.stdin.flush()
            line = child.stdout.readline()
        except (BrokenPipeError, ValueError):
            line = ""
        if line.endswith("\n"):
            return [Examined(*each) for each in json.loads(line)]
        self._end()
        return None

    def stop(self) -> None:
        self._stopped = True
        self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):  # what it was still to be asked is of no use
                        pipe.close()
