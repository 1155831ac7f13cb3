"""LitServe with batches of 32 and no wait. `python peer_litserve.py PORT FOLDER NAME`."""

import sys

import litserve
import numpy as np
import onnxruntime as ort
import simplejpeg
from fastapi import Request

port, folder, name = sys.argv[1:]


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.network = ort.InferenceSession(f"{folder}/{name}.network.onnx", options)
        import onnx
        from onnx.utils import Extractor

        before = Extractor(onnx.load(f"{folder}/{name}.onnx")).extract_model(["image"], ["pixels"])
        self.prepare = ort.InferenceSession(before.SerializeToString(), options)

    def decode_request(self, request: Request) -> np.ndarray:
        data = request["content"].file.read()  # LitServe hands on forms and JSON, no bare bodies
        if data[:2] == b"\xff\xd8":
            return self.prepare.run(None, {"image": simplejpeg.decode_jpeg(data)})[0][0]
        return np.frombuffer(data, np.float32).reshape(3, 64, 64)

    def batch(self, inputs: list) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        return self.network.run(["probabilities"], {"pixels": pixels})[0]

    def unbatch(self, output: np.ndarray) -> list:
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict:
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(max_batch_size=32, batch_timeout=0), accelerator="cpu", workers_per_device=1, timeout=60
    )
    server.run(
        host="127.0.0.1", port=int(port), num_api_servers=1, log_level="warning", generate_client_file=False
    )
