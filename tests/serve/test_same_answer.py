"""One answer everywhere: Python, and every way to ask the server, say the same of the same picture."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from PIL import Image as Pillow

from okulo.io.images import decode
from okulo.runtime.modelfile import load
from okulo.serve.decode import Answers, Prepare, Prepared
from okulo.serve.network import open_network
from okulo.serve.plan import Plan

RNG = np.random.default_rng(11)


def pictures() -> list[bytes]:
    said = []
    for kind, options in (("JPEG", {"quality": 80}), ("PNG", {}), ("WEBP", {"quality": 70})):
        for size in ((8, 8, 3), (37, 90, 3), (300, 200, 3)):
            to = BytesIO()
            Pillow.fromarray(RNG.integers(0, 256, size, dtype=np.uint8)).save(to, kind, **options)
            said.append(to.getvalue())
    return said


def test_python_and_all_ways_to_ask_the_server_agree(shared: Any, colours: Path) -> None:
    files = pictures()
    images = [decode(each) for each in files]
    wanted = [each["embedding"] for each in load(colours, threads=1).predict(images)]
    ask = {"url": shared.url + "/v1/models/colours/predict", "params": {"outputs": "embedding"}}
    many = httpx.post(**ask, json={"images": [base64.b64encode(each).decode() for each in files[:8]]}).json()
    with triton.InferenceServerClient(shared.host) as client:
        for index, (file, image) in enumerate(zip(files, images)):
            one = httpx.post(**ask, content=file).json()["answers"][0]["embedding"]
            tensor = triton.InferInput("image", list(image.shape), "UINT8")
            tensor.set_data_from_numpy(image)
            binary = client.infer("colours", [tensor]).as_numpy("embedding")[0]
            said = [one, binary] + ([many["answers"][index]["embedding"]] if index < 8 else [])
            for each in said:
                assert np.allclose(each, wanted[index], atol=1e-6), (index, each, wanted[index])


def test_the_stages_are_predictors(colours: Path) -> None:
    """One answer each, in order; nothing for nothing; splitting a batch changes nothing; inputs untouched."""
    _, network = open_network(colours, Plan())
    prepare, answers = Prepare(network, 10**6), Answers(network)
    images = [RNG.integers(0, 256, (9 + index, 20, 3), dtype=np.uint8) for index in range(7)]
    copies = [each.copy() for each in images]
    assert prepare.predict([]) == []
    assert answers.predict([]) == []
    together = answers.predict(prepare.predict(images))
    assert [each.height for each in together] == [9 + index for index in range(7)]
    for index, image in enumerate(images):
        (alone,) = answers.predict(prepare.predict([image]))
        assert np.allclose(alone.answer["embedding"], together[index].answer["embedding"], atol=1e-6)
        assert np.allclose(alone.answer["embedding"], image.mean(axis=(0, 1)) / 255, atol=0.1)
        assert np.array_equal(image, copies[index])
    assert isinstance(prepare.predict(images)[0], Prepared)


@pytest.mark.parametrize("compiled", [False, True])
def test_compiled_preparation_gives_the_same_pixels(colours: Path, compiled: bool) -> None:
    _, network = open_network(colours, Plan(compiled=compiled))
    reference = load(colours, threads=1)
    for size in ((8, 8, 3), (100, 31, 3), (5, 5, 3)):
        image = RNG.integers(0, 256, size, dtype=np.uint8)
        assert np.array_equal(network.prepare(image), reference.prepare(image))
