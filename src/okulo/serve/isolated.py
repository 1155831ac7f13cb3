"""A Predictor in another process, over shared memory: for work that holds the interpreter's lock.

One that dies (kill -9, a segmentation fault, no memory) is replaced; what it was at is raised as WorkerDied.
"""

import contextlib
import mmap
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from okulo.serve.child import ANSWER, ASK, REPLY, read_exactly
from okulo.serve.refusals import Failed, WorkerDied
from okulo.serve.wire import pack, put, unpack

FIRST_BYTES = 1 << 20
SLOWEST_RESTART_S = 5.0


class _Child:
    """A process, the socket to talk to it, and the memory shared with it (anonymous: it goes with them)."""

    def __init__(self, spec: str) -> None:
        self.memory_fd = os.memfd_create("okulo")
        os.ftruncate(self.memory_fd, FIRST_BYTES)
        self.memory = mmap.mmap(self.memory_fd, FIRST_BYTES)
        self.lock = threading.Lock()
        self.released = False
        self.channel, theirs = socket.socketpair()
        life, self._life = os.pipe()
        passed = (theirs.fileno(), self.memory_fd, life)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "okulo.serve.child", spec, *map(str, passed)],
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is for the server, which ends its children
            )
        finally:
            theirs.close()
            os.close(life)

    def ask(self, batch: Sequence[Any]) -> Any:
        """Exchange one batch; EOFError or OSError if the process is gone. One at a time: hold `lock`."""
        if self.released:
            raise EOFError
        size, parts = pack(list(batch))
        if size > len(self.memory):
            os.ftruncate(self.memory_fd, 2 * size)
            self.memory = mmap.mmap(self.memory_fd, 2 * size)
        put(memoryview(self.memory), parts)
        self.channel.sendall(ASK.pack(size, len(self.memory)))
        kind, start, length = REPLY.unpack(read_exactly(self.channel, REPLY.size))
        if start + length > len(self.memory):
            self.memory = mmap.mmap(self.memory_fd, start + length)
        answer = unpack(bytes(memoryview(self.memory)[start : start + length]))
        if kind != ANSWER:
            raise Failed(str(answer))
        return answer

    def hang_up(self) -> None:
        """Tell the process to end when it has answered."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Let go of the socket, the memory and the process's life line."""
        with self.lock:
            self.released = True
            self.channel.close()
            os.close(self.memory_fd)
            os.close(self._life)


class Isolated:
    """Answers with the post-processing `spec` in a process of its own; replaced when it dies.

    `patience_s`: one that takes longer over a batch counts as dead and is killed.
    """

    def __init__(self, spec: str, *, patience_s: float = 300.0) -> None:
        self.spec = spec
        self.restarts = 0
        self._patience_s = patience_s
        self._child: _Child | None = None
        self._closing = False
        self._closing_since = 0.0
        self._state = threading.Condition()
        self._latest: _Child | None = None
        self._keeper = threading.Thread(target=self._keep, name=f"okulo-keep-{spec}", daemon=True)
        self._keeper.start()

    @property
    def ready(self) -> bool:
        """Whether the process is up and has said so."""
        child = self._child
        return child is not None and child.process.returncode is None

    @property
    def pid(self) -> int | None:
        """The process that works now."""
        child = self._child
        return child.process.pid if child else None

    def predict(self, batch: Sequence[Any], /) -> Sequence[Any]:
        """Answer i belongs to input i; WorkerDied if the process died over this batch."""
        if not batch:
            return []
        child = self.wait_ready()
        try:
            with child.lock:
                answers: list[Any] = child.ask(batch)
        except (EOFError, OSError) as error:
            child.process.kill()  # whatever became of it: the keeper starts another
            with self._state:
                if self._child is child:
                    self._child = None
            slow = isinstance(error, TimeoutError)
            how = f"took longer than {self._patience_s:g} s" if slow else "died"
            raise WorkerDied(f"the worker process {child.process.pid} {how}") from error
        return answers

    def wait_ready(self, timeout_s: float = 60.0) -> _Child:
        """Wait for the process to be up; WorkerDied if it does not come."""
        with self._state:
            if not self._state.wait_for(lambda: self._child or self._closing, timeout_s) or not self._child:
                raise WorkerDied(f"no worker process for {self.spec} could be started")
            return self._child

    def hang_up(self) -> None:
        """Tell the process to end when it has answered what it is at; do not wait for it."""
        with self._state:
            if not self._closing:
                self._closing_since = time.monotonic()
            self._closing = True
            self._state.notify_all()
        child = self._latest
        if child is not None and not child.released:
            child.hang_up()

    def close(self, timeout_s: float = 3.0) -> None:
        """End the process and reap it; one that is still busy this long after `hang_up` is killed."""
        self.hang_up()
        self._keeper.join(max(0.0, self._closing_since + timeout_s - time.monotonic()))
        if self._keeper.is_alive() and self._latest is not None:
            self._latest.process.kill()
            self._keeper.join(timeout_s)

    def _stop_asked(self) -> bool:
        with self._state:
            return self._closing

    def _keep(self) -> None:
        """Keep one process alive; start another when it ends, more slowly while they end at once."""
        pause_s = 0.0
        while not self._stop_asked():
            started = time.monotonic()
            child = self._latest = _Child(self.spec)
            try:
                read_exactly(child.channel, REPLY.size)
                child.channel.settimeout(self._patience_s)
                with self._state:
                    self._child = child
                    self._state.notify_all()
                if self._stop_asked():
                    child.hang_up()
            except (EOFError, OSError):  # it ended before it was ready
                child.process.kill()
            child.process.wait()
            with self._state:
                if self._child is child:
                    self._child = None
            child.release()
            if not self._stop_asked():
                self.restarts += 1
                quick = time.monotonic() - started < 1
                pause_s = min(SLOWEST_RESTART_S, max(0.1, 2 * pause_s)) if quick else 0.0
                with self._state:
                    self._state.wait_for(lambda: self._closing, pause_s)
