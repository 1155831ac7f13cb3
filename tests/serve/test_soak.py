"""Minutes of mixed load with everything that goes wrong: no answer is lost or given to somebody else.

`OKULO_SOAK_S` says how long (default 300 s; `make soak`).
"""

import asyncio
import os
import random
import shutil
import signal
import time
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import psutil
import pytest
from PIL import Image as Pillow

PREDICT, INFER = "/v1/models/colours/predict?outputs=embedding", "/v2/models/colours/infer"
SECONDS = float(os.environ.get("OKULO_SOAK_S", "300"))


def file(colour: tuple[int, ...], kind: str = "PNG") -> bytes:
    to = BytesIO()
    Pillow.new("RGB", (random.randint(8, 200), random.randint(8, 200)), colour).save(to, kind)
    return to.getvalue()


class Soak:
    """Clients, and what befell them; a picture's colour is its identity, and each answer must carry it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.counts: Counter[str] = Counter()
        self.end = time.monotonic() + SECONDS

    def colour(self) -> tuple[int, ...]:
        return tuple(random.randint(30, 255) for _ in range(3))

    def check(self, colour: tuple[int, ...], embedding: Any, result: Any) -> None:
        wanted = np.array(colour) / 255
        assert np.allclose(embedding, wanted, atol=1e-3), (colour, embedding)
        assert result["order"] == list(range(20))
        assert np.allclose(result["colours"], [2 * wanted] * 20, atol=2e-3), (colour, result)

    async def picture(self, client: httpx.AsyncClient) -> None:
        colour = self.colour()
        done = await client.post(self.url + PREDICT, content=file(colour))
        self.counts[f"picture {done.status_code}"] += 1
        if done.status_code == 200:
            (answer,) = done.json()["answers"]
            self.check(colour, answer["embedding"], answer["result"])
        else:
            assert done.status_code == 429, done.text

    async def tensor(self, client: httpx.AsyncClient) -> None:
        colours = [self.colour() for _ in range(random.randint(1, 5))]
        pixels = np.float32([np.full((8, 8, 3), c) for c in colours]).transpose(0, 3, 1, 2) / np.float32(255)
        raw = np.ascontiguousarray(pixels).tobytes()
        wanted = {"name": "pixels", "datatype": "FP32", "shape": list(pixels.shape)}
        head = orjson.dumps({"inputs": [wanted | {"parameters": {"binary_data_size": len(raw)}}]})
        headers = {"Inference-Header-Content-Length": str(len(head))}
        done = await client.post(self.url + INFER, content=head + raw, headers=headers)
        self.counts[f"tensor {done.status_code}"] += 1
        if done.status_code == 200:
            said = {each["name"]: each["data"] for each in done.json()["outputs"]}
            embeddings = np.reshape(said["embedding"], (-1, 3))
            assert len(said["result"]) == len(colours)
            for colour, embedding, result in zip(colours, embeddings, said["result"]):
                self.check(colour, embedding, orjson.loads(result))
        else:
            assert done.status_code == 429, done.text

    async def bad(self, client: httpx.AsyncClient) -> None:
        content = random.choice([b"", b"noise" * 50, file(self.colour())[:50], b"\xff\xd8\xff\xd9"])
        done = await client.post(self.url + random.choice([PREDICT, INFER]), content=content)
        self.counts[f"bad {done.status_code}"] += 1
        assert done.status_code in (400, 429), done.text

    async def abort(self, client: httpx.AsyncClient) -> None:
        try:
            await client.post(
                self.url + PREDICT, content=file(self.colour()), timeout=random.uniform(0.001, 0.05)
            )
        except httpx.TimeoutException:
            self.counts["aborted"] += 1

    async def client(self) -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            while time.monotonic() < self.end:
                (kind,) = random.choices([self.picture, self.tensor, self.bad, self.abort], [6, 4, 1, 1])
                await kind(client)

    async def killer(self, pid: int) -> None:
        while time.monotonic() < self.end:
            await asyncio.sleep(random.uniform(2, 5))
            children = psutil.Process(pid).children()
            if children:
                random.choice(children).send_signal(signal.SIGKILL)
                self.counts["killed"] += 1

    async def changer(self, served: Path, other: Path) -> None:
        """Replace the model file by another that gives the same embedding."""
        while time.monotonic() < self.end:
            await asyncio.sleep(7)
            aside = served.with_suffix(".tmp")
            shutil.copyfile(other, aside)
            then = time.time() - 5 - random.random()
            os.utime(aside, (then, then))
            aside.replace(served)
            self.counts["changed"] += 1


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_soak(start: Any, make_colours: Any, tmp_path: Path) -> None:
    served = make_colours(tmp_path / "colours.onnx", 4.0)
    other = make_colours(tmp_path / "other.bin", 5.0)
    server = start(served, "--postprocess", "okulo_parts:Echo", "--post-workers", 3, "--queue-items", 64)
    soak = Soak(server.url)

    def resident() -> float:
        return float(psutil.Process(server.process.pid).memory_info().rss / 1e6)

    async def all_of_it() -> list[float]:
        tasks = [asyncio.ensure_future(soak.client()) for _ in range(16)]
        tasks.append(asyncio.ensure_future(soak.killer(server.process.pid)))
        tasks.append(asyncio.ensure_future(soak.changer(served, other)))
        sizes = []
        while time.monotonic() < soak.end and not any(task.done() and task.exception() for task in tasks):
            await asyncio.sleep(min(10.0, SECONDS / 10))
            sizes.append(resident())
        await asyncio.gather(*tasks)
        return sizes

    try:
        sizes = asyncio.run(all_of_it())
    finally:
        print(dict(sorted(soak.counts.items())))
        print(httpx.get(server.url + "/metrics", timeout=30).text)
    print([round(size) for size in sizes])
    server.wait()
    done = httpx.post(server.url + PREDICT, content=file((250, 5, 5)), timeout=30)
    assert done.json()["answers"][0]["label"] == "red"
    for what in ("picture 200", "tensor 200", "bad 400", "aborted", "killed"):
        assert soak.counts[what] > 0, soak.counts
    assert sizes[-1] < sizes[len(sizes) // 3] + 60, sizes
    assert server.stop() == 0
