"""Who may ask: loopback by its own name only, elsewhere who has the token, and never another site's page."""

import hmac
import ipaddress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOCKED = "This page asks for a token. Open the address that was printed at the start; it holds the token.\n"


@dataclass(frozen=True)
class Guard:
    """Lets a request through, or says why not."""

    app: ASGIApp
    loopback: bool
    token: str
    """Empty: none is asked for."""
    port: int
    locked: str = LOCKED
    """Said to who has no token."""

    @property
    def cookie(self) -> str:
        """Its name; cookies do not know of ports, so two servers on one host need two."""
        return f"okulo-review-{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = self.refuse(scope)
        await (answer or self.app)(scope, receive, send)

    def refuse(self, scope: Scope) -> Response | None:
        """The answer to a request that may not pass; None: it may."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.loopback and not is_loopback(host_name(host)):
            # A page of another site whose name was re-bound to this machine would come in by its own name.
            return PlainTextResponse(f"This is not {host[:80]!r}; use http://127.0.0.1:{self.port}\n", 421)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Only GET and POST are answered here.\n", 405)
        if not same_site(headers, host, reads=scope["method"] != "POST"):
            return PlainTextResponse("Another site's page may not ask here.\n", 403)
        return self._ask_for_token(scope, headers) if self.token else None

    def _ask_for_token(self, scope: Scope, headers: Headers) -> Response | None:
        given = parse_qsl(scope.get("query_string", b"").decode("latin1"))
        for name, value in given:
            if name == "token" and scope["path"] == "/" and self._right(value):
                rest = urlencode([pair for pair in given if pair[0] != "token"])
                answer = RedirectResponse(f"./?{rest}" if rest else "./", 303)
                answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
                return answer
        if self._right(_cookie(headers.get("cookie", ""), self.cookie)):
            return None
        scheme, _, said = headers.get("authorization", "").partition(" ")  # programs have no cookie
        said = said if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if self._right(said.strip()):
            return None
        return PlainTextResponse(self.locked, 401)

    def _right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())


def same_site(headers: Headers, host: str, *, reads: bool) -> bool:
    """Whether a request comes from this page itself, or is a person opening an address.

    >>> same_site(Headers({"origin": "http://evil.example"}), "127.0.0.1:8", reads=False)
    False
    >>> same_site(Headers({"origin": "http://127.0.0.1:8"}), "127.0.0.1:8", reads=True)
    True
    """
    site = headers.get("sec-fetch-site", "none")
    opened = (
        reads and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )
    if site not in ("same-origin", "none") and not opened:
        return False
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return False
    # A form of another site cannot send this type without asking first, which is never granted.
    return reads or headers.get("content-type", "").partition(";")[0].strip() == "application/json"


def host_name(host: str) -> str:
    """The name in a Host header, without the port.

    >>> host_name("[::1]:8100"), host_name("localhost:8100"), host_name("")
    ('::1', 'localhost', '')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether a host name or address is this machine and no other.

    >>> [is_loopback(name) for name in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "evil.example")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.rstrip(".").lower() == "localhost"


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
