"""A Predictor on another machine: a stage served by `okulo serve --stage postprocess`."""

import http.client
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from okulo.core.errors import BadInput
from okulo.serve.refusals import Failed, WorkerDied
from okulo.serve.wire import packed, unpack

PATH = "/v1/stage"
REQUESTS_PER_CONNECTION = 200
"""Then a new one is made, so that replicas that came later get their share."""
LOST = (OSError, http.client.HTTPException)


class Remote:
    """Answers with a remote stage, over one connection that is kept; each worker's thread has its own.

    Where that stage is full or starting, it asks again until `patience_s` is over.
    """

    def __init__(
        self, url: str, *, key: str = "", timeout_s: float = 300.0, patience_s: float = 30.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput("post-url", wanted="http://host:port", got=repr(url))
        self.url = url
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + PATH
        self._headers = {"content-type": "application/octet-stream"} | (
            {"authorization": f"Bearer {key}"} if key else {}
        )
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._connection: http.client.HTTPConnection | None = None
        self._requests = 0

    def predict(self, batch: Sequence[Any], /) -> Sequence[Any]:
        """Answer i belongs to input i."""
        if not batch:
            return []
        message = packed(list(batch))
        end = time.monotonic() + self._patience_s
        while True:
            try:
                status, pause_s, body = self._ask(message)
            except LOST as error:
                if time.monotonic() >= end:
                    raise WorkerDied(f"the stage at {self.url} cannot be reached ({error})") from error
                status, pause_s, body = 503, 0.1, b""
            if status == 200:
                answers: list[Any] = unpack(body)
                return answers
            if status not in (429, 502, 503) or time.monotonic() >= end:
                raise Failed(f"the stage at {self.url} said {status}: {body[:500].decode(errors='replace')}")
            time.sleep(min(pause_s, max(0.0, end - time.monotonic())))

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, message: bytearray) -> tuple[int, float, bytes]:
        if self._requests >= REQUESTS_PER_CONNECTION:
            self.close()
        if self._connection is None:
            self._connection = self._kind(self._host, self._port, timeout=self._timeout_s)
            self._requests = 0
        self._requests += 1
        try:
            self._connection.request("POST", self._path, body=message, headers=self._headers)
            response = self._connection.getresponse()
            body = response.read()
        except LOST:
            self.close()
            raise
        if response.will_close:
            self.close()
        pause = response.headers.get("retry-after", "")
        return response.status, float(pause) if pause.isdigit() else 0.2, body
