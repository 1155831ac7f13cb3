"""Serve the calibration page until it is ended."""

import secrets
import webbrowser
from collections.abc import Callable, Mapping
from typing import Any

from okulo.web.calibrate.app import Act, make_app
from okulo.web.guard import Guard, is_loopback
from okulo.web.review.command import address
from okulo.web.server import bind, serve


def serve_page(
    frame_png: bytes, start: Mapping[str, Any], check: Act, save: Act, *, host: str, port: int,
    open_browser: bool = False, up: Callable[[str], None] = lambda url: None,
) -> None:  # fmt: skip
    """Serve until SIGINT or SIGTERM; `up` hears the address when it can be opened."""
    with bind(host, port) as listener:
        bound = listener.getsockname()
        loopback = is_loopback(bound[0])
        token = "" if loopback else secrets.token_urlsafe(24)
        guard = Guard(make_app(frame_png, start, check, save), loopback, token, bound[1])

        def say() -> None:
            url = address(host, guard)
            up(url)
            if open_browser:
                webbrowser.open(url)

        serve(guard, listener, up=say)
