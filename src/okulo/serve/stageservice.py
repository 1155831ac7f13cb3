"""One stage as its own service: `Remote` sends it batches, and it spreads each over its workers."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from okulo.core.errors import BadInput
from okulo.serve.http import (
    Headers,
    Reading,
    Receive,
    Reply,
    Scope,
    Send,
    check_key,
    connection_lost,
    error_reply,
    send_reply,
)
from okulo.serve.metrics import Metrics
from okulo.serve.models import post_stage
from okulo.serve.plan import Plan
from okulo.serve.refusals import Refused
from okulo.serve.remote import PATH
from okulo.serve.service import Limits, Mailbox, ask
from okulo.serve.stages import NO_ORDER, Pipeline
from okulo.serve.wire import packed, unpack

log = logging.getLogger("okulo.serve")


@dataclass
class StageService:
    """Post-processing alone, served."""

    plan: Plan
    limits: Limits = field(default_factory=Limits)
    metrics: Metrics = field(default_factory=Metrics)
    stopping: bool = False
    pipeline: Pipeline = field(init=False)

    def open(self) -> None:
        """Start the workers."""
        if not self.plan.postprocess:
            raise BadInput("postprocess", wanted="its name, with --stage postprocess", got="none")
        stage = replace(post_stage(replace(self.plan, post_url="")), split=list, join=_all)
        self.pipeline = Pipeline(
            [stage], max_items=self.plan.max_items, max_bytes=self.plan.max_bytes, watch=self.metrics
        )
        self.metrics.show_also(self._gauges)

    def about(self) -> str:
        """What is served, in one line."""
        return f"the stage postprocess ({self.plan.postprocess}, {self.plan.post_workers} workers)"

    @property
    def ready(self) -> bool:
        """Whether every worker can work now, and the server means to go on."""
        return not self.stopping and self.pipeline.ready

    def drain(self) -> None:
        """Turn readiness red."""
        self.stopping = True

    def close(self, timeout_s: float = 10.0) -> None:
        """Finish and end all workers."""
        self.stopping = True
        self.pipeline.close(timeout_s)

    async def watch(self) -> None:
        """Nothing to look after: workers' keepers do."""
        await asyncio.Event().wait()

    def _gauges(self) -> Iterator[tuple[str, str, dict[str, str], float]]:
        yield "okulo_ready", "1 if every worker can answer", {}, float(self.ready)
        yield "okulo_inside_items", "batches waiting or being worked on", {}, self.pipeline.items
        for batcher in self.pipeline.batchers:
            labels = {"stage": batcher.name}
            yield "okulo_queue_items", "items waiting for a worker", labels, batcher.waiting
        yield "okulo_worker_restarts", "worker processes replaced", {}, self.pipeline.restarts


def _all(_: Sequence[Any], results: Sequence[Any]) -> list[Any]:
    return list(results)


class StageApp:
    """The stage's ASGI application: `POST /v1/stage`, health and metrics."""

    def __init__(self, service: StageService, key: str = "") -> None:
        limits = service.limits
        self._service = service
        self._key = key
        self._reading = Reading(limits.max_body_bytes, service.plan.max_bytes, limits.timeout_s)
        self._mailbox: Mailbox | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started, headers, path = time.monotonic(), dict(scope["headers"]), scope["path"]
        metrics = self._service.metrics
        try:
            if self._key and not path.startswith("/v2/health/"):
                check_key(headers, self._key)
            if path == PATH and scope["method"] == "POST":
                reply = await self._work(headers, receive)
            else:
                reply = self._simple(path)
        except Exception as error:  # whatever it is, the client gets an answer
            if isinstance(error, Refused):
                metrics.reject(error.reason)
            elif not isinstance(error, BadInput):
                log.error("a batch failed", exc_info=error)
            reply = error_reply(error)
        if path == PATH:
            metrics.request("stage", str(reply.status), time.monotonic() - started)
        await send_reply(send, reply)

    async def _work(self, headers: Headers, receive: Receive) -> Reply:
        pipeline = self._service.pipeline
        pipeline.check_room(1, 0, NO_ORDER)
        body = await self._reading.body(receive, headers)
        batch = unpack(body)
        if not isinstance(batch, list):
            raise BadInput("batch", wanted="a list", got=type(batch).__name__)
        if self._mailbox is None:
            self._mailbox = Mailbox(asyncio.get_running_loop())
        outcomes = await ask(
            pipeline,
            [batch],
            [len(body)],
            mailbox=self._mailbox,
            timeout_s=self._service.limits.timeout_s,
            disconnected=connection_lost(receive) or (lambda: False),
        )
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]
        return Reply(bytes(packed(outcomes[0])), content_type=b"application/octet-stream")

    def _simple(self, path: str) -> Reply:
        ready = self._service.ready
        if path == "/v2/health/live":
            return Reply(b'{"live":true}')
        if path == "/v2/health/ready":
            return Reply(orjson.dumps({"ready": ready}), 200 if ready else 503)
        if path == "/metrics":
            return Reply(self._service.metrics.text(), content_type=b"text/plain; version=0.0.4")
        return Reply(b'{"error":"not found"}', 404)
