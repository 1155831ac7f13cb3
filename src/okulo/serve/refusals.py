"""Why a request got no answer: each is an HTTP status, a sentence, and perhaps when to come again."""

import math


class Refused(Exception):
    """No answer, through nobody's bug: the queue is full, the time is up, the server is stopping.

    >>> too_many = Full(retry_after_s=0.3)
    >>> too_many.status, too_many.retry_after, str(too_many)
    (429, 1, 'the queue is full')
    """

    status = 503
    text = "not ready"
    reason = "unready"

    def __init__(self, text: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(text or self.text)
        self.retry_after = None if retry_after_s is None else max(1, math.ceil(retry_after_s))


class Full(Refused):
    """As many items or bytes wait as may; come again."""

    status = 429
    text = "the queue is full"
    reason = "full"


class Hopeless(Refused):
    """With what waits before it, the answer could not come in the time allowed."""

    status = 503
    text = "the answer could not be ready before the deadline"
    reason = "hopeless"


class Late(Refused):
    """The deadline passed before there was an answer."""

    status = 504
    text = "the deadline passed"
    reason = "late"


class Gone(Refused):
    """The client hung up, so nothing was computed."""

    status = 499
    text = "the client hung up"
    reason = "gone"


class Stopping(Refused):
    """The server, or this version of the model, takes no more."""

    status = 503
    text = "the server is stopping"
    reason = "stopping"


class WorkerDied(Exception):
    """The process that worked on a batch died; a new one is in its place."""


class Failed(Exception):
    """What a predictor raised on this item alone; the client is told the sentence, the log the rest."""
