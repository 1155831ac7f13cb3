"""The public client of the Open Inference Protocol works unchanged."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio

RNG = np.random.default_rng(5)


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.fixture
def client(shared: Any) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(shared.host, concurrency=4) as client:
        yield client


def pixels(n: int = 1, *, binary: bool = True) -> tuple[np.ndarray, list[triton.InferInput]]:
    array = RNG.random((n, 3, 8, 8), dtype=np.float32)
    wanted = triton.InferInput("pixels", list(array.shape), "FP32")
    wanted.set_data_from_numpy(array, binary_data=binary)
    return array, [wanted]


def asked(*names: str, binary: bool = True) -> list[triton.InferRequestedOutput]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def check(array: np.ndarray, result: triton.InferResult) -> None:
    mean = array.mean(axis=(2, 3))
    assert np.allclose(result.as_numpy("embedding"), mean, atol=1e-5)
    assert np.allclose(result.as_numpy("probabilities"), softmax(4 * mean), atol=1e-5)


def test_health_and_metadata(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("colours")
    assert client.is_model_ready("colours", "1")
    assert not client.is_model_ready("colours", "2")
    assert not client.is_model_ready("nobody")
    assert client.get_server_metadata()["name"] == "okulo"
    said = client.get_model_metadata("colours")
    assert said["versions"] == ["1"]
    assert [each["name"] for each in said["inputs"]] == ["image", "pixels"]
    assert said["outputs"][0] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}
    assert client.get_model_repository_index() == [{"name": "colours", "version": "1", "state": "READY"}]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_tensors_as_binary_and_as_json(
    client: triton.InferenceServerClient, binary_in: bool, binary_out: bool, n: int
) -> None:
    array, inputs = pixels(n, binary=binary_in)
    outputs = asked("probabilities", "embedding", binary=binary_out)
    result = client.infer("colours", inputs, outputs=outputs, request_id="abc", model_version="1")
    check(array, result)
    assert result.get_response()["id"] == "abc"
    check(array, client.infer("colours", inputs))  # no outputs named: all of them


def test_only_the_outputs_that_are_asked_for(client: triton.InferenceServerClient) -> None:
    _, inputs = pixels()
    result = client.infer("colours", inputs, outputs=asked("embedding"))
    assert result.as_numpy("embedding") is not None
    assert result.as_numpy("probabilities") is None


@pytest.mark.parametrize("request_as", [None, "gzip", "deflate"])
@pytest.mark.parametrize("response_as", [None, "gzip", "deflate"])
def test_compressed_bodies(
    client: triton.InferenceServerClient, request_as: str | None, response_as: str | None
) -> None:
    array, inputs = pixels(8, binary=False)
    result = client.infer(
        "colours",
        inputs,
        outputs=asked("probabilities", "embedding", binary=False),
        request_compression_algorithm=request_as,
        response_compression_algorithm=response_as,
    )
    check(array, result)


@pytest.mark.parametrize("shape", [(8, 8, 3), (31, 20, 3), (2, 16, 9, 3)])
@pytest.mark.parametrize("binary", [True, False])
def test_images_of_any_size(
    client: triton.InferenceServerClient, shape: tuple[int, ...], binary: bool
) -> None:
    colour = RNG.integers(0, 256, 3)
    image = np.broadcast_to(colour.astype(np.uint8), shape).copy()
    wanted = triton.InferInput("image", list(shape), "UINT8")
    wanted.set_data_from_numpy(image, binary_data=binary)
    said = client.infer("colours", [wanted]).as_numpy("embedding")
    assert said.shape == (shape[0] if len(shape) == 4 else 1, 3)
    assert np.allclose(said, colour / 255, atol=1e-5)


def test_many_at_once_get_their_own_answers(client: triton.InferenceServerClient) -> None:
    sent = [pixels(1 + index % 3) for index in range(60)]
    waiting = [client.async_infer("colours", inputs) for _, inputs in sent]
    for (array, _), each in zip(sent, waiting):
        check(array, each.get_result(timeout=20))


def test_the_asyncio_client(shared: Any) -> None:
    async def all_of_them() -> None:
        async with triton_aio.InferenceServerClient(shared.host) as client:
            assert await client.is_server_ready()
            sent = [pixels(2) for _ in range(20)]
            said = await asyncio.gather(*(client.infer("colours", inputs) for _, inputs in sent))
            for (array, _), each in zip(sent, said):
                check(array, each)

    asyncio.run(all_of_them())


def test_errors_carry_their_message(client: triton.InferenceServerClient) -> None:
    _, inputs = pixels()
    with pytest.raises(triton.InferenceServerException, match="no model 'nobody'"):
        client.infer("nobody", inputs)
    with pytest.raises(triton.InferenceServerException, match="version '7'"):
        client.infer("colours", inputs, model_version="7")
    with pytest.raises(triton.InferenceServerException, match="expected embedding, probabilities"):
        client.infer("colours", inputs, outputs=asked("masks"))
    wrong = triton.InferInput("pixels", [1, 3, 9, 9], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 3, 9, 9), np.float32))
    with pytest.raises(triton.InferenceServerException, match=r"expected shape \[n, 3, 8, 8\]"):
        client.infer("colours", [wrong])


def test_a_deadline_and_a_priority_are_understood(client: triton.InferenceServerClient) -> None:
    array, inputs = pixels()
    check(array, client.infer("colours", inputs, priority=1, timeout=10_000_000))
