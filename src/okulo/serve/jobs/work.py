"""Working off jobs: items are leased, sent through the models' pipelines, and their results stored."""

import hashlib
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.serve.decode import Seen
from okulo.serve.http import error_reply
from okulo.serve.jobs.intake import resolve
from okulo.serve.jobs.lease import is_dead, new_lease
from okulo.serve.jobs.pack import Spool
from okulo.serve.jobs.records import Leased, Outcome, Version
from okulo.serve.jobs.store import JobStore, Unavailable
from okulo.serve.models import Served
from okulo.serve.predict import describe
from okulo.serve.refusals import Full, Gone, Stopping
from okulo.serve.service import NotFound, Service
from okulo.serve.stages import Order

log = logging.getLogger("okulo.serve.jobs")

MAX_ATTEMPTS = 5
"""An item begun more often without an end is taken for what kills the workers."""
FLUSH_S = 1.0
"""Results wait no longer than this to be stored."""
RETRY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How jobs are worked off."""

    workers: int = 2
    """Batches under way at once: while one is answered, another is fetched or stored."""
    batch: int = 64
    lease_s: float = 15.0
    poll_s: float = 0.5
    keep_s: float = 7 * 86400.0
    """Results are kept so long after the end."""
    sweep_s: float = 60.0
    max_picture_bytes: int = 32 << 20
    until_empty: bool = False
    """Stop when nothing is left to do for these models."""


class Workers:
    """Threads that work off jobs with the service's models; entered and left like a context."""

    def __init__(
        self, service: Service, store: JobStore, spool: Spool | None, roots: Sequence[Path], pace: Pace
    ) -> None:
        self._service, self._store, self._spool = service, store, spool
        self._roots, self._pace = tuple(roots), pace
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self.answered = 0
        self.open_items = 0
        """Unfinished items in the store, as of a few seconds ago."""
        self.open_bytes = 0
        self._leases = [new_lease(index) for index in range(pace.workers)]
        self._busy: set[str] = set()
        self._alone = False
        """Whether the one that is busy must stay the only one."""
        self._turn = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, args=(each,), name=f"okulo-job-{index}", daemon=True)
            for index, each in enumerate(self._leases)
        ]
        self._keeper = threading.Thread(target=self._keep, name="okulo-jobs", daemon=True)

    def start(self) -> None:
        """Begin; with what a process that was killed here had begun."""
        try:
            self._store.free(is_dead)
        except Unavailable as error:  # then its leases run out
            log.warning("%s", error)
        for each in (*self._threads, self._keeper):
            each.start()

    def join(self) -> None:
        """Wait until there is nothing left to do (`until_empty`), or until stopped."""
        for each in self._threads:
            each.join()

    def ask_to_stop(self) -> None:
        """Begin nothing more; what is begun is given back."""
        self._stopping.set()
        self._wake.set()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop, in bounded time."""
        self.ask_to_stop()
        end = time.monotonic() + timeout_s
        for each in (*self._threads, self._keeper):
            each.join(max(0.0, end - time.monotonic()))

    def hurry(self) -> None:
        """Look for work now: a job has just been stored."""
        self._wake.set()

    async def __aenter__(self) -> "Workers":
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.stop)
        self._store.close()

    def _keep(self) -> None:
        """Renew leases, count what is open, take away what is old; until stopped."""
        swept = 0.0
        while not self._stopping.is_set():
            try:
                with self._turn:
                    busy = list(self._busy)
                if busy:
                    self._store.renew(busy, self._pace.lease_s)
                self.open_items, self.open_bytes = self._store.open_items()
                if time.monotonic() - swept > self._pace.sweep_s:
                    swept = time.monotonic()
                    self._store.remove_old(self._pace.keep_s)
                    if self._spool is not None:
                        self._spool.sweep(self._store.open_packs)
            except Unavailable as error:
                log.warning("%s", error)
            except Exception:  # a full disk must not end the renewal of leases
                log.exception("looking after jobs failed")
            self._stopping.wait(self._pace.lease_s / 3)

    def _work(self, lease: str) -> None:
        while not self._stopping.is_set():
            try:
                models = [(each.name, each.version) for each in self._service.every()]
                if leased := self._begin(lease, models):
                    self._answer(lease, leased)
                elif self._pace.until_empty and not self._store.has_work(models):
                    return
                else:
                    self._wake.wait(self._pace.poll_s)
                    self._wake.clear()
            except Unavailable as error:
                log.warning("%s", error)
                self._stopping.wait(RETRY_S)
            except Exception:  # nothing may end a worker: it goes on with what is next
                log.exception("working on a job failed")
                self._stopping.wait(RETRY_S)

    def _begin(self, lease: str, models: Sequence[Version]) -> list[Leased]:
        """Take items. One that was begun before has this process for itself until it has an outcome.

        If it is what kills the process, nothing was begun beside it that would be suspected as well.
        """
        with self._turn:
            self._wait_until(lambda: not self._alone)
            leased = self._store.lease(models, self._pace.batch, lease, self._pace.lease_s)
            if leased:
                self._busy.add(lease)
                self._alone = leased[0].attempts > 1
                if self._alone:
                    self._wait_until(lambda: len(self._busy) == 1)
            return leased

    def _wait_until(self, true: Callable[[], bool]) -> None:
        while not true() and not self._stopping.is_set():
            self._turn.wait(0.2)  # a stop does not take the lock to say so

    def _answer(self, lease: str, leased: Sequence[Leased]) -> None:
        try:
            batch = _Batch(self._stopping)
            for each in leased:
                self._send(each, batch)
            while not batch.wait(FLUSH_S):
                self._store_results(lease, batch.take())
            self._store_results(lease, batch.take())
            if batch.returned:
                self._store.give_back(lease)
        finally:
            with self._turn:
                self._busy.discard(lease)
                self._alone = self._alone and leased[0].attempts == 1
                self._turn.notify_all()

    def _send(self, item: Leased, batch: "_Batch") -> None:
        """Read an item and send it off; what goes wrong is its outcome."""
        finish = partial(batch.finish, item)
        batch.begin()
        try:
            if item.attempts > MAX_ATTEMPTS:
                raise BadInput("picture", f"its worker ended {MAX_ATTEMPTS} times before there was an answer")
            data = self._read(item)
            served = self._service.find(item.model, item.version)
        except BadInput as error:
            finish(_name_of(item), None, None, error)
            return
        except NotFound:  # that version has just been taken away: for others, or for later
            finish("", None, None, Stopping())
            return
        name = hashlib.blake2b(data, digest_size=16).hexdigest()
        order = Order(gone=self._stopping.is_set)

        def done(value: Any, error: Exception | None) -> None:
            finish(name, served, value, error)

        while True:
            try:
                served.pipeline.check_room(1, len(data), order)
                served.pipeline.submit(data, len(data), done, order)
                return
            except Full:
                if self._stopping.wait(0.05):
                    done(None, Gone())
                    return
            except Stopping as error:
                done(None, error)
                return

    def _read(self, item: Leased) -> bytes:
        if not item.path:
            if self._spool is None:
                raise BadInput("picture", "this worker has no folder of packs", hint="--jobs-spool FOLDER")
            return self._spool.read(item.pack, item.start, item.length)
        return read_file(resolve(item.path, self._roots), self._pace.max_picture_bytes)

    def _store_results(self, lease: str, outcomes: Sequence[Outcome]) -> None:
        """Store them, again and again while the database is away; in the end another worker does the work."""
        end = time.monotonic() + self._pace.lease_s
        while outcomes:
            try:
                self.answered += self._store.record(lease, outcomes)
                return
            except Unavailable as error:
                log.warning("%s", error)
                if time.monotonic() > end or self._stopping.wait(RETRY_S):
                    return


class _Batch:
    """Outcomes of the items under way."""

    def __init__(self, stopping: threading.Event) -> None:
        self.returned = False
        """Whether an item got no outcome, and is to be given back."""
        self._left = 0
        self._outcomes: list[Outcome] = []
        self._changed = threading.Condition()

    def begin(self) -> None:
        """One more is under way."""
        with self._changed:
            self._left += 1

    def finish(
        self, item: Leased, name: str, served: Served | None, value: Any, error: Exception | None
    ) -> None:
        """One has an outcome; called in any thread."""
        outcome = None if isinstance(error, Gone | Stopping) else outcome_of(item, name, served, value, error)
        with self._changed:
            self._left -= 1
            if outcome is None:
                self.returned = True
            else:
                self._outcomes.append(outcome)
            if not self._left:
                self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait for all; False if the time is up first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._left, timeout_s)

    def take(self) -> list[Outcome]:
        """The outcomes that came since this was asked last."""
        with self._changed:
            taken, self._outcomes = self._outcomes, []
        return taken


def outcome_of(
    item: Leased, name: str, served: Served | None, value: Any, error: Exception | None
) -> Outcome:
    """Write down what came of an item."""
    if error is None and served is not None:
        try:
            answer = write_answer(name, value, served.info, item.top, item.outputs)
            return Outcome(job=item.job, number=item.number, answer=answer)
        except (TypeError, ValueError) as problem:  # a post-processing's result that is no plain data
            error = problem
    assert error is not None
    said = orjson.loads(error_reply(error).body)["error"]
    answer = orjson.dumps({"id": name}).decode()
    return Outcome(job=item.job, number=item.number, answer=answer, error=str(said))


def write_answer(name: str, seen: Seen, info: ModelInfo, top: int, outputs: Sequence[str]) -> str:
    """Put an answer into JSON: as `predict` says it, and the picture's hash and all probabilities with it."""
    said = {"id": name, **describe(seen, info, top, [*outputs, "probabilities"])}
    return orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def read_file(path: Path, max_bytes: int) -> bytes:
    """Read a plain file of at most so many bytes: no device, no pipe that never ends."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(handle, "rb") as stream:  # noqa: PTH123  # it is a handle
            said = os.fstat(handle)
            if not stat.S_ISREG(said.st_mode):
                raise BadInput(path.name, "is no plain file")
            if said.st_size > max_bytes:
                raise BadInput(path.name, wanted=f"at most {max_bytes:,} bytes", got=f"{said.st_size:,}")
            return stream.read(max_bytes)
    except OSError as error:
        raise BadInput(path.name, f"cannot be read ({error.strerror})") from error


def _name_of(item: Leased) -> str:
    """What stands for the hash of a picture that could not be read."""
    return hashlib.blake2b(f"{item.path or item.pack}:{item.start}".encode(), digest_size=16).hexdigest()
