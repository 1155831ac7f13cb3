"""Ray Serve with @serve.batch. `python peer_ray.py PORT FOLDER NAME`."""

import sys
import time

import numpy as np
import onnxruntime as ort
import ray
import simplejpeg
from ray import serve
from starlette.requests import Request

port, folder, name = sys.argv[1:]


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Model:
    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.network = ort.InferenceSession(f"{folder}/{name}.network.onnx", options)
        import onnx
        from onnx.utils import Extractor

        before = Extractor(onnx.load(f"{folder}/{name}.onnx")).extract_model(["image"], ["pixels"])
        self.prepare = ort.InferenceSession(before.SerializeToString(), options)

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0)
    async def answer(self, inputs: list) -> list:
        return list(self.network.run(["probabilities"], {"pixels": np.stack(inputs)})[0])

    async def __call__(self, request: Request) -> dict:
        data = await request.body()
        if data[:2] == b"\xff\xd8":
            pixels = self.prepare.run(None, {"image": simplejpeg.decode_jpeg(data)})[0][0]
        else:
            pixels = np.frombuffer(data, np.float32).reshape(3, 64, 64)
        return {"probabilities": (await self.answer(pixels)).tolist()}


ray.init(num_cpus=4, include_dashboard=False, logging_level="error", _node_ip_address="127.0.0.1")
serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
serve.run(Model.bind(), route_prefix="/")
print("up", flush=True)
while True:
    time.sleep(3600)
