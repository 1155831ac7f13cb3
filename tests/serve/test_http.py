"""Pictures as people send them, and what is said to those who send something else."""

import base64
import gzip
import json
import socket
import time
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as Pillow

RNG = np.random.default_rng(7)
PREDICT = "/v1/models/colours/predict"
INFER = "/v2/models/colours/infer"


def file(colour: tuple[int, int, int], kind: str = "PNG", size: tuple[int, int] = (20, 12)) -> bytes:
    to = BytesIO()
    Pillow.new("RGB", size, colour).save(to, kind)
    return to.getvalue()


@pytest.fixture(scope="module")
def web(shared: Any) -> Any:
    with httpx.Client(base_url=shared.url, timeout=20) as client:
        yield client


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_as_the_body(web: httpx.Client, kind: str) -> None:
    done = web.post(
        PREDICT, content=file((250, 5, 5), kind), headers={"content-type": f"image/{kind.lower()}"}
    )
    assert done.status_code == 200, done.text
    said = done.json()
    assert (said["model"], said["version"], said["threshold"]) == ("colours", "1", 0.6)
    (answer,) = said["answers"]
    assert (answer["label"], answer["best"], answer["dont_know"]) == ("red", "red", False)
    assert (answer["width"], answer["height"]) == (20, 12)
    assert answer["top"][0]["label"] == "red"
    assert answer["probability"] == pytest.approx(0.96, abs=0.01)


def test_below_the_threshold_it_does_not_know(web: httpx.Client) -> None:
    said = web.post(PREDICT, content=file((100, 90, 80)), params={"top": 1}).json()["answers"][0]
    assert (said["label"], said["best"], said["dont_know"]) == (None, "red", True)
    assert len(said["top"]) == 1


def test_several_in_a_form_each_gets_its_own_answer_or_error(web: httpx.Client) -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    files = [("image", (f"{i}.png", file(colour), "image/png")) for i, colour in enumerate(colours)]
    files.insert(1, ("image", ("bad.png", b"no picture", "image/png")))
    said = web.post(PREDICT, files=files).json()["answers"]
    assert [each.get("label") for each in said] == ["red", None, "green", "blue"]
    assert list(said[1]) == ["error"]
    assert "no picture format" in said[1]["error"]


def test_a_list_of_base64(web: httpx.Client) -> None:
    images = [base64.b64encode(file((0, 0, 255))).decode(), "data:image/png;base64,"]
    images[1] += base64.b64encode(file((0, 255, 0))).decode()
    said = web.post(PREDICT, json={"images": images}, params={"outputs": "embedding"}).json()["answers"]
    assert [each["label"] for each in said] == ["blue", "green"]
    assert said[0]["embedding"] == pytest.approx([0, 0, 1], abs=1e-4)


@pytest.mark.parametrize(
    ("content", "kind", "status", "words"),
    [
        (b"", "image/png", 400, "no picture format"),
        (b"no picture", "image/png", 400, "no picture format"),
        (file((1, 2, 3))[:60], "image/png", 400, "picture"),
        (b"{", "application/json", 400, "is no JSON"),
        (b'{"images": "x"}', "application/json", 400, "expected"),
        (b'{"images": []}', "application/json", 400, "1 to 8 pictures"),
        (b'{"images": ["%%%"]}', "application/json", 400, "no base64"),
        (json.dumps({"images": [""] * 9}).encode(), "application/json", 400, "at most 8"),
        (b"x", "multipart/form-data", 400, "a boundary"),
        (b"x", "multipart/form-data; boundary=a", 400, "cannot be read"),
        (b"--a\r\n\r\nx", "multipart/form-data; boundary=a", 400, "before its last boundary"),
        (b"x", "text/html", 400, "image/…"),
        (b"x" * (2 * 1024 * 1024 + 1), "image/png", 413, "at most 2,097,152 bytes"),
        (file((1, 2, 3), size=(1001, 1000)), "image/png", 400, "at most 1,000,000 pixels"),
        (file((1, 2, 3), "JPEG", size=(1001, 1000)), "image/jpeg", 400, "at most 1,000,000 pixels"),
    ],
)
def test_what_is_no_picture_gets_one_clear_line(
    web: httpx.Client, content: bytes, kind: str, status: int, words: str
) -> None:
    done = web.post(PREDICT, content=content, headers={"content-type": kind})
    assert done.status_code == status, done.text
    assert words in done.json()["error"]


@pytest.mark.parametrize("query", ["top=-1", "top=x", "top=99999", "timeout_ms=0", "outputs=masks"])
def test_wrong_wishes(web: httpx.Client, query: str) -> None:
    assert web.post(f"{PREDICT}?{query}", content=file((1, 2, 3))).status_code == 400


def bomb(coding: str) -> bytes:
    zeros = bytes(3 * 1024 * 1024)
    return gzip.compress(zeros) if coding == "gzip" else zlib.compress(zeros)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_refused_unpacked_no_further_than_the_limit(web: httpx.Client, coding: str) -> None:
    done = web.post(PREDICT, content=bomb(coding), headers={"content-encoding": coding})
    assert done.status_code == 413
    good = gzip.compress(file((9, 9, 9))) if coding == "gzip" else zlib.compress(file((9, 9, 9)))
    assert web.post(PREDICT, content=good, headers={"content-encoding": coding}).status_code == 200
    assert web.post(PREDICT, content=b"no", headers={"content-encoding": coding}).status_code == 400
    assert web.post(PREDICT, content=good[:-9], headers={"content-encoding": coding}).status_code == 400
    assert web.post(PREDICT, content=b"no", headers={"content-encoding": "br"}).status_code == 400


def tensor(**said: Any) -> dict[str, Any]:
    return {"name": "pixels", "datatype": "FP32", "shape": [1, 3, 8, 8], "data": [0.5] * 192} | said


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "a JSON object"),
        ({}, "NoneType"),
        ({"inputs": []}, "0 inputs"),
        ({"inputs": [1]}, "expected"),
        ({"inputs": [tensor(), tensor()]}, "2 inputs"),
        ({"inputs": [tensor(name="x")]}, "named image or pixels"),
        ({"inputs": [tensor(datatype="FP16")]}, "datatype FP32"),
        ({"inputs": [tensor(shape=[1, 3, 8])]}, "192"),
        ({"inputs": [tensor(shape=[1, 3, 8, -8])]}, "whole numbers"),
        ({"inputs": [tensor(shape=[1, 3, 8, 8.0])]}, "whole numbers"),
        ({"inputs": [tensor(shape=[10**9] * 4)]}, "numbers"),
        ({"inputs": [tensor(shape=[0, 3, 8, 8], data=[])]}, "1 to 8 pictures"),
        ({"inputs": [tensor(data=[0.5] * 191)]}, "192 numbers"),
        ({"inputs": [tensor(data=["a"] * 192)]}, "numbers"),
        ({"inputs": [tensor(data=[True] * 192)]}, "numbers"),
        ({"inputs": [tensor(data=[None] * 192)]}, "numbers"),
        ({"inputs": [tensor(data=[[0.5], [1, 2]])]}, "ragged"),
        ({"inputs": [tensor(data=0.5)]}, "a list of numbers"),
        ({"inputs": [tensor(parameters=3)]}, "a JSON object"),
        ({"inputs": [tensor(parameters={"binary_data_size": 4})]}, "both"),
        ({"inputs": [tensor(name="image", datatype="UINT8", shape=[1, 1, 3], data=[1, 2, 256])]}, "0 to 255"),
        ({"inputs": [tensor(name="image", datatype="UINT8", shape=[1, 3, 1], data=[1, 2, 3])]}, "RGB"),
        ({"inputs": [tensor(name="image", datatype="UINT8", shape=[0, 1, 3], data=[])]}, "RGB"),
        ({"inputs": [tensor()], "id": 3}, "text"),
        ({"inputs": [tensor()], "outputs": 3}, "a list"),
        ({"inputs": [tensor()], "outputs": [{}]}, "a name"),
        ({"inputs": [tensor()], "outputs": [{"name": "x"}]}, "embedding, probabilities"),
        ({"inputs": [tensor()], "parameters": {"timeout": -1}}, "microseconds"),
        ({"inputs": [tensor()], "parameters": []}, "a JSON object"),
    ],
)
def test_wrong_requests_for_inference(web: httpx.Client, body: Any, words: str) -> None:
    done = web.post(INFER, json=body)
    assert done.status_code == 400, done.text
    assert words in done.json()["error"]


@pytest.mark.parametrize("header", ["0", "-1", "999999", "x", "1e2", ""])
def test_a_wrong_length_of_the_binary_header(web: httpx.Client, header: str) -> None:
    body = json.dumps({"inputs": [tensor()]}).encode()
    done = web.post(INFER, content=body, headers={"Inference-Header-Content-Length": header})
    assert done.status_code == 400
    assert "error" in done.json()


@pytest.mark.parametrize("tail", [b"", bytes(767), bytes(769)])
def test_binary_data_of_another_size_than_said(web: httpx.Client, tail: bytes) -> None:
    said = tensor(parameters={"binary_data_size": 768})
    del said["data"]
    head = json.dumps({"inputs": [said]}).encode()
    done = web.post(INFER, content=head + tail, headers={"Inference-Header-Content-Length": str(len(head))})
    assert done.status_code == 400
    assert "768 bytes" in done.json()["error"]


def test_nothing_else_is_there_and_errors_have_one_shape(web: httpx.Client) -> None:
    for path in ("/nothing", "/v2/models/nobody", "/v1/models/nobody", "/v2/models/a/b/infer"):
        done = web.get(path)
        assert done.status_code == 404
        assert list(done.json()) == ["error"]
    assert web.get(PREDICT).status_code == 405
    assert web.get(PREDICT).headers["allow"] == "POST"
    assert web.post("/metrics").status_code == 405
    assert web.post("/v1/models/..%2f..%2fetc%2fpasswd/predict", content=b"x").status_code == 404


def test_request_ids_come_back(web: httpx.Client) -> None:
    assert (
        web.post(PREDICT, content=b"", headers={"x-request-id": "mine-7"}).headers["x-request-id"] == "mine-7"
    )
    made = {web.post(PREDICT, content=b"").headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3


def test_metrics_tell_what_happened(web: httpx.Client) -> None:
    def figure(name: str) -> float:
        text = web.get("/metrics").text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    names = {
        'okulo_requests_total{code="200",model="colours"}': 2,
        'okulo_requests_total{code="400",model="colours"}': 1,
        'okulo_answers_total{known="no",model="colours"}': 1,
        'okulo_answers_total{known="yes",model="colours"}': 1,
        'okulo_batch_items_count{stage="network"}': 2,
        'okulo_stage_seconds_count{stage="decode"}': 3,  # the one that failed took time too
        'okulo_queue_wait_seconds_count{stage="network"}': 2,
        'okulo_rejects_total{reason="too large"}': 1,
    }
    before = {name: figure(name) for name in names}
    web.post(PREDICT, content=file((250, 5, 5)))
    web.post(PREDICT, content=file((100, 90, 80)))
    web.post(PREDICT, content=b"x")
    web.post(PREDICT, content=bomb("gzip"), headers={"content-encoding": "gzip"})
    time.sleep(0.05)  # a worker counts after it has answered
    for name, more in names.items():
        assert figure(name) - before[name] == more, name
    assert figure("okulo_ready") == 1
    assert figure("okulo_inside_items") == 0


def test_a_slow_sender_and_one_that_hangs_up_harm_nobody(shared: Any, web: httpx.Client) -> None:
    host, port = shared.host.split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port))) as half:
            half.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n".encode())
            half.sendall(bytes(100_000))
    assert web.post(PREDICT, content=file((250, 5, 5))).status_code == 200


def test_the_key(start: Any, colours: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    server = start(colours, "--api-key-file", tmp_path / "key", "--cors", "https://page.example")
    url, good = server.url, file((250, 5, 5))
    assert httpx.get(url + "/v2/health/ready").status_code == 200
    for path in ("/v2", "/metrics", "/openapi.json", "/v2/models/colours"):
        assert httpx.get(url + path).status_code == 401
        assert httpx.get(url + path, headers={"x-api-key": "s3cret"}).status_code == 200
    for wrong in (
        {},
        {"authorization": "Bearer s3cre"},
        {"x-api-key": "S3cret"},
        {"authorization": "s3cret"},
    ):
        done = httpx.post(url + PREDICT, content=good, headers=wrong)
        assert done.status_code == 401
        assert done.headers["www-authenticate"] == "Bearer"
    done = httpx.post(url + PREDICT, content=good, headers={"authorization": "Bearer s3cret"})
    assert done.status_code == 200
    asked = {"origin": "https://page.example", "access-control-request-method": "POST"}
    assert httpx.options(url + PREDICT, headers=asked).status_code == 200
    asked["origin"] = "https://other.example"
    assert "access-control-allow-origin" not in httpx.options(url + PREDICT, headers=asked).headers
    assert server.stop() == 0
    assert "s3cret" not in server.log.read_text()
