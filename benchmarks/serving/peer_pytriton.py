"""PyTriton with dynamic batching of 32. `python peer_pytriton.py PORT FOLDER NAME`."""

import sys

import numpy as np
import onnxruntime as ort
import simplejpeg
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

port, folder, name = sys.argv[1:]
options = ort.SessionOptions()
options.intra_op_num_threads = 1
network = ort.InferenceSession(f"{folder}/{name}.network.onnx", options)
pictures = ort.InferenceSession(f"{folder}/{name}.onnx", options)


@batch
def tensor(pixels: np.ndarray) -> dict:
    return {"probabilities": network.run(["probabilities"], {"pixels": pixels})[0]}


@batch
def jpeg(picture: np.ndarray) -> dict:
    rows = [
        pictures.run(["probabilities"], {"image": simplejpeg.decode_jpeg(each[0])})[0] for each in picture
    ]
    return {"probabilities": np.concatenate(rows)}


config = TritonConfig(
    http_port=int(port),
    http_address="127.0.0.1",
    grpc_port=int(port) + 1,
    grpc_address="127.0.0.1",
    metrics_port=int(port) + 2,
    allow_metrics=False,
    log_verbose=0,
)
output = Tensor(name="probabilities", dtype=np.float32, shape=(10,))
batches = ModelConfig(max_batch_size=32, batcher=DynamicBatcher(max_queue_delay_microseconds=0))
with Triton(config=config) as triton:
    triton.bind(
        "tensor",
        tensor,
        [Tensor(name="pixels", dtype=np.float32, shape=(3, 64, 64))],
        [output],
        config=batches,
    )
    triton.bind("jpeg", jpeg, [Tensor(name="picture", dtype=np.bytes_, shape=(1,))], [output], config=batches)
    triton.serve()
