"""The pages as an ASGI app: what it sends, with which headers, and to whom."""

import logging
import os
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from okulo.web import pages
from okulo.web.beside import beside

from .stand_in import described


@pytest.fixture
def client(models: dict[str, Path]) -> TestClient:
    return TestClient(pages.make_pages(lambda: described(models)))


def test_the_page_is_isolated_and_asks_no_other_host(client: TestClient) -> None:
    said = client.get("/")
    assert said.status_code == 200 and "okulo" in said.text
    assert said.headers["cross-origin-embedder-policy"] == "require-corp"
    assert "default-src 'none'" in said.headers["content-security-policy"]
    assert "http" not in said.text.replace("http-equiv", "")  # no address of another host in it


def test_modules_and_styles_come_with_their_types(client: TestClient) -> None:
    for path, kind in [
        ("ask/page.js", "text/javascript"),
        ("style.css", "text/css"),
        ("icon.svg", "image/svg"),
    ]:
        said = client.get(f"/static/{path}")
        assert said.status_code == 200
        assert said.headers["content-type"].startswith(kind)
        again = client.get(f"/static/{path}", headers={"if-none-match": said.headers["etag"]})
        assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["/static/../pages.py", "/static/%2e%2e/pages.py", "/static//etc/passwd", "/static/"]
)
def test_nothing_else_of_the_disk_is_sent(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 405)


def test_models_say_what_the_page_needs(client: TestClient, models: dict[str, Path]) -> None:
    said = client.get("/pages/models.json").json()
    first = said["models"][0]
    assert (first["name"], first["threshold"], len(first["classes"])) == ("clipart", 0.5, 8)
    file = client.get(f"/{first['file']}")
    assert file.content == models["clipart"].read_bytes()
    assert "immutable" in file.headers["cache-control"]


def test_a_replaced_model_file_has_a_new_address(tmp_path: Path, models: dict[str, Path]) -> None:
    path = tmp_path / "a b#c.onnx"
    path.write_bytes(models["clipart"].read_bytes())
    client = TestClient(pages.make_pages(lambda: described({"a b#c": path})))
    old = client.get("/pages/models.json").json()["models"][0]
    path.write_bytes(models["sorts"].read_bytes())
    os.utime(path, ns=(time.time_ns() + 5_000_000, time.time_ns() + 5_000_000))
    new = client.get("/pages/models.json").json()["models"][0]
    assert old["threshold"] == 0.5 and new["threshold"] is None
    assert old["file"] != new["file"]
    stale = client.get(f"/{old['file']}")
    assert stale.content == path.read_bytes() and stale.headers["cache-control"] == "no-store"


def test_a_model_whose_file_is_gone_is_left_out_and_logged(
    tmp_path: Path, models: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    known = described(models)
    known["gone"] = (tmp_path / "gone.onnx", known["clipart"][1])
    client = TestClient(pages.make_pages(lambda: known))
    said = client.get("/pages/models.json").json()
    assert [each["name"] for each in said["models"]] == ["clipart", "sorts"]
    assert "'gone'" in caplog.text
    assert client.get("/pages/models/gone/file").status_code == 404
    assert client.get("/pages/models/other/file").json() == {"error": "no model 'other' here"}


def test_with_a_key_models_are_only_for_who_has_it(models: dict[str, Path]) -> None:
    client = TestClient(pages.make_pages(lambda: described(models), key="säsam"))
    assert client.get("/").status_code == 200 and client.get("/static/style.css").status_code == 200
    for path in ("/pages/models.json", "/pages/models/clipart/file"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
        right = {"authorization": "Bearer säsam".encode()}
        assert client.get(path, headers=right).status_code == 200  # type: ignore[arg-type]


def test_pages_leave_all_other_addresses_to_the_server(models: dict[str, Path]) -> None:
    def server(request: object) -> PlainTextResponse:
        return PlainTextResponse("the server's")

    app = beside(
        Starlette(routes=[Route("/{path:path}", server)]),
        lambda: pages.make_pages(lambda: described(models)),
    )
    client = TestClient(app)
    assert client.get("/v2/health/live").text == client.get("/pagesx").text == "the server's"
    assert client.get("/").headers["content-type"].startswith("text/html")


def test_an_engine_that_is_not_built_is_said(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pages, "ENGINE", tmp_path)
    with caplog.at_level(logging.WARNING):
        client = TestClient(pages.make_pages(lambda: described(models)))
    assert "make web" in caplog.text
    engine = client.get("/pages/models.json").json()["engine"]
    assert engine["built"] is False and "make web" in engine["why_not"]


def test_the_engine_is_sent_packed(engine: None, client: TestClient) -> None:
    path = "/static/vendor/onnxruntime-web/ort-wasm-simd-threaded.wasm"
    packed, plain = client.get(path), client.get(path, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.headers["content-type"] == plain.headers["content-type"] == "application/wasm"
    assert packed.content == plain.content and plain.content[:4] == b"\0asm"
    assert int(packed.headers["content-length"]) < 0.4 * len(plain.content)
