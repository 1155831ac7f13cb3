"""What one writes first: FastAPI, one request = decode, network, footprints. `… PORT MODEL THREADS`."""

import asyncio
import sys

import uvicorn
from fastapi import FastAPI, Request, Response
from one_process import make

port, model, threads = sys.argv[1:]
work = make(model, int(threads))
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> Response:
    data = await request.body()
    return Response(await asyncio.to_thread(work, data), media_type="application/json")


uvicorn.run(app, port=int(port), log_level="warning", access_log=False)
