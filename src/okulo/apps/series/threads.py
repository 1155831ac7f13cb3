"""Work done on threads, in order, a few steps ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

AHEAD = 3


def in_order(
    work: Callable[..., Out], items: Iterable[In], *arguments: Any, threads: int = 2
) -> Iterator[Out]:
    """Apply compiled work (which lets other threads run) to each item; answers come in the items' order.

    With one thread the work too is done in their order.

    >>> list(in_order(pow, [1, 2, 3], 2))
    [1, 4, 9]
    """
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item, *arguments))
                if len(waiting) >= AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
