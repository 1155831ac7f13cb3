"""How fast a model file answers in Chromium, beside okulo's server and the Python runtime, and how alike.

Pictures go through the page's own code, one at a time; loopback, headless Chromium without a GPU.
"""

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import torch
import uvicorn
from PIL import Image as Pillow
from playwright.sync_api import Page, sync_playwright

from machine import write_results
from okulo.core.model import ModelInfo, Preprocess
from okulo.export.write import write
from okulo.io.images import decode
from okulo.nets.build import build
from okulo.nets.bundle import Bundle
from okulo.runtime.modelfile import load
from okulo.serve.app import make_app
from okulo.serve.service import Service
from okulo.web.beside import beside
from okulo.web.pages import make_pages

MODELS = {
    "resnet-tiny-32": ({"name": "resnet", "widths": [16, 32, 64], "depths": [1, 1, 1]}, 32),
    "mobilenetv3-small-224": ({"name": "timm", "model": "mobilenetv3_small_100"}, 224),
    "efficientnet-lite0-224": ({"name": "timm", "model": "tf_efficientnet_lite0"}, 224),
}
PICTURES = {
    "96 × 96 PNG": (96, 96, "PNG"),
    "640 × 480 JPEG": (480, 640, "JPEG"),
    "12 MP JPEG": (3000, 4000, "JPEG"),
}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)
ASK = """async ([where, name, text, repeats, threads]) => {
  const {InBrowser, OnServer} = await import('./static/ask/askers.js')
  const model = (await (await fetch('pages/models.json')).json()).models.find((each) => each.name === name)
  const asker = where === 'server' ? new OnServer() : (globalThis[`kept${threads}`] ??= new InBrowser())
  asker.wanted = threads
  const file = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], {type: 'image/png'})
  await asker.prepare(model)
  const all = []
  for (let index = 0; index < repeats + 2; index += 1) all.push(await asker.ask(model, file))
  const part = (index) => all.slice(2).map(({parts}) => parts[index]?.[1] ?? 0)
  return {ms: all.slice(2).map(({ms}) => ms), decode: part(0), network: part(1), threads: asker.threads,
    probabilities: all[0].answer.probabilities}
}"""


def make_models(folder: Path, names: list[str]) -> dict[str, Path]:
    made = {}
    for name in names:
        architecture, side = MODELS[name]
        classes = tuple(f"class {index}" for index in range(10))
        torch.manual_seed(0)
        network = build({**architecture, "classes": len(classes)}).eval()
        info = ModelInfo(
            task="classify", classes=classes, preprocess=Preprocess(size=(side, side)), name=name
        )
        made[name] = folder / f"{name}.onnx"
        write(Bundle(network, dict(architecture), info), made[name])
    return made


def make_picture(height: int, width: int, kind: str) -> bytes:
    rng = np.random.default_rng(0)
    coarse = Pillow.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    file = BytesIO()
    coarse.resize((width, height), Pillow.Resampling.BICUBIC).save(file, kind, quality=85)
    return file.getvalue()


@contextmanager
def served(models: dict[str, Path]) -> Iterator[str]:
    service = Service([str(path) for path in models.values()])
    service.open()
    pages = make_pages(lambda: {name: (each.path, each.info) for name, each in service.newest.items()})
    app = beside(make_app(service), lambda: pages)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)
    service.close(5)


def measure(page: Page, models: dict[str, Path], repeats: int) -> list[dict[str, object]]:
    from base64 import b64encode

    rows: list[dict[str, object]] = []
    for name, path in models.items():
        python = load(path, threads=1)
        for picture, shape in PICTURES.items():
            data = make_picture(*shape)
            times = []
            for _ in range(repeats + 2):
                start = time.perf_counter()
                wanted = python.predict([decode(data)])[0]["probabilities"]
                times.append((time.perf_counter() - start) * 1000)
            said = {"python, 1 thread": {"ms": times[2:], "probabilities": wanted}}
            text = b64encode(data).decode()
            for where, threads in (("server", 0), ("browser", 1), ("browser", 2)):
                label = where if where == "server" else f"browser, {threads} thread{'s' * (threads > 1)}"
                said[label] = page.evaluate(ASK, [where, name, text, repeats, threads])
            base = statistics.median(said["python, 1 thread"]["ms"])
            for where, one in said.items():
                ms = statistics.median(one["ms"])
                apart = float(np.abs(np.float32(one["probabilities"]) - wanted).max())
                row = {"model": name, "picture": picture, "where": where, "ms": ms, "ratio": ms / base}
                for part in ("decode", "network"):
                    row[f"{part}_ms"] = statistics.median(one[part]) if part in one else None
                rows.append({**row, "apart": apart})
                print(
                    f"{name:24} {picture:15} {where:18} {ms:8.1f} ms {ms / base:6.2f} × python   {apart:.0e}",
                    flush=True,
                )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        models = make_models(Path(folder), args.models)
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        with served(models) as url:
            page = browser.new_page()
            page.goto(url)
            page.locator("#work").wait_for()
            rows = measure(page, models, args.repeats)
        version = browser.version
        browser.close()
    write_results(
        "browser", {"chromium": version, "onnx": onnx.__version__, "repeats": args.repeats, "rows": rows}
    )


if __name__ == "__main__":
    main()
