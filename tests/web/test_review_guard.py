"""Who may ask the review page: loopback by its own name, who has the token, never another site."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from okulo.web.guard import Guard
from okulo.web.review.command import address


def guarded(loopback: bool = True, token: str = "", port: int = 80) -> TestClient:
    app = Starlette(
        routes=[Route("/{path:path}", lambda request: PlainTextResponse("in"), methods=["GET", "POST"])]
    )
    return TestClient(Guard(app, loopback, token, port), base_url="http://127.0.0.1", follow_redirects=False)


def test_a_rebound_name_gets_nothing() -> None:
    client = guarded()
    for host in ("127.0.0.1:80", "localhost", "[::1]:80", "LOCALHOST:80", "127.0.0.2"):
        assert client.get("/api/summary", headers={"host": host}).text == "in"
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "0.0.0.0",
        "",
        "[",
        "192.168.1.5",
    ):
        assert client.get("/api/summary", headers={"host": host}).status_code == 421, host


def test_other_sites_pages_cannot_decide_or_read() -> None:
    client = guarded()
    assert client.post("/api/verdicts", json={}).status_code == 200
    evil = {"origin": "http://evil.example"}
    for headers in (
        evil,
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:81"},
    ):
        assert client.post("/api/verdicts", json={}, headers=headers).status_code == 403, headers
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert client.post("/api/verdicts", content="{}", headers={"content-type": kind}).status_code == 403
    assert (
        client.get(
            "/picture/0/256", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        ).status_code
        == 403
    )
    opened = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client.get("/", headers=opened).text == "in"
    assert client.get("/", headers={**opened, "sec-fetch-dest": "iframe"}).status_code == 403
    assert client.delete("/").status_code == 405


def test_away_from_loopback_the_token_is_asked_for_once() -> None:
    client = guarded(loopback=False, token="right-ünd", port=81)
    assert client.get("/").status_code == client.post("/api/undo", json={}).status_code == 401
    assert (
        client.get("/?token=wrong").status_code == client.get("/api/summary?token=right").status_code == 401
    )
    token = "right-token"
    client = guarded(loopback=False, token=token, port=81)
    opened = client.get(f"/?token={token}&x=1")
    assert opened.status_code == 303 and opened.headers["location"] == "./?x=1"
    cookie = opened.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "okulo-review-81" in cookie
    assert client.get("/api/summary", headers={"host": "a-name.lan"}).text == "in"  # the cookie came along
    bad = guarded(loopback=False, token=token).get("/", headers={"cookie": "okulo-review-80=no; broken=="})
    assert bad.status_code == 401 and token not in bad.text


def test_the_address_holds_the_token_only_where_one_is_needed(tmp_path: Path) -> None:
    app = Starlette()
    assert address("127.0.0.1", Guard(app, True, "", 81)) == "http://127.0.0.1:81/"
    assert address("::1", Guard(app, True, "", 81)) == "http://[::1]:81/"
    assert address("0.0.0.0", Guard(app, False, "abc", 81)).endswith(":81/?token=abc")
