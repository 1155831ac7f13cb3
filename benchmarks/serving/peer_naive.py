"""What one writes first: FastAPI, one request one run. `python peer_naive.py PORT FOLDER NAME THREADS`."""

import asyncio
import sys

import numpy as np
import onnxruntime as ort
import simplejpeg
import uvicorn
from fastapi import FastAPI, Request

port, folder, name, threads = sys.argv[1:]
options = ort.SessionOptions()
if threads != "default":
    options.intra_op_num_threads = int(threads)
network = ort.InferenceSession(f"{folder}/{name}.network.onnx", options)
pictures = ort.InferenceSession(f"{folder}/{name}.onnx", options)
app = FastAPI()


@app.post("/tensor")
async def tensor(request: Request) -> dict:
    pixels = np.frombuffer(await request.body(), np.float32).reshape(1, 3, 64, 64)
    (said,) = await asyncio.to_thread(network.run, ["probabilities"], {"pixels": pixels})
    return {"probabilities": said[0].tolist()}


@app.post("/jpeg")
async def jpeg(request: Request) -> dict:
    data = await request.body()

    def answer() -> np.ndarray:
        return pictures.run(["probabilities"], {"image": simplejpeg.decode_jpeg(data)})[0]

    said = await asyncio.to_thread(answer)
    return {"probabilities": said[0].tolist()}


uvicorn.run(app, port=int(port), log_level="warning", access_log=False)
