"""Pictures as people send them: the body itself, a form, or JSON with base64; labels in plain words back."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.serve.decode import Seen

TOP = 5
HIDDEN = ("probabilities",)


def read_pictures(body: bytes, content_type: str, max_images: int) -> list[bytes]:
    """Take the pictures' bytes out of a request's body."""
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        pictures = _from_form(body, options.get(b"boundary", b""), max_images)
    elif kind == b"application/json":
        pictures = _from_json(body, max_images)
    elif kind.startswith(b"image/") or kind in (b"application/octet-stream", b""):
        pictures = [body]
    else:
        raise BadInput(
            "content-type",
            wanted="image/…, multipart/form-data or application/json",
            got=content_type[:80],
        )
    if not 1 <= len(pictures) <= max_images:
        raise BadInput("request", wanted=f"1 to {max_images} pictures", got=len(pictures))
    return pictures


def _from_form(body: bytes, boundary: bytes, max_images: int) -> list[bytes]:
    if not boundary:
        raise BadInput("multipart/form-data", wanted="a boundary", got="none")
    parts: list[bytearray] = []
    ended = False

    def begin() -> None:
        if len(parts) >= max_images:
            raise BadInput("form", wanted=f"at most {max_images} pictures", got="more")
        parts.append(bytearray())

    def data(chunk: bytes, start: int, end: int) -> None:
        parts[-1] += chunk[start:end]

    def end() -> None:
        nonlocal ended
        ended = True

    try:
        parser = MultipartParser(boundary, {"on_part_begin": begin, "on_part_data": data, "on_end": end})
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise BadInput("form", f"cannot be read ({error})") from error
    if not ended:
        raise BadInput("form", "ends before its last boundary")
    return [bytes(part) for part in parts]


def _from_json(body: bytes, max_images: int) -> list[bytes]:
    try:
        said = orjson.loads(body)
    except ValueError as error:
        raise BadInput("request", f"is no JSON ({error})") from error
    images = said.get("images") if isinstance(said, dict) else None
    if not isinstance(images, list) or not all(isinstance(each, str) for each in images):
        raise BadInput("request", wanted='{"images": ["<base64>", …]}', got=type(said).__name__)
    if len(images) > max_images:
        raise BadInput("images", wanted=f"at most {max_images}", got=len(images))
    pictures = []
    for index, each in enumerate(images):
        try:
            pictures.append(base64.b64decode(each.rpartition(",")[2], validate=True))  # a data: URL will do
        except (binascii.Error, ValueError) as error:
            raise BadInput(f"images[{index}]", f"is no base64 ({error})") from error
    return pictures


def _objects(seen: Seen, info: ModelInfo) -> list[dict[str, Any]]:
    """Say each object in words: label, score, box (left, top, right, bottom in the picture's pixels)."""
    parts = (seen.answer[name].tolist() for name in ("boxes", "scores", "labels"))
    return [{"label": info.classes[label], "score": score, "box": box} for box, score, label in zip(*parts)]


def describe(seen: Seen, info: ModelInfo, top: int, also: Sequence[str] = ()) -> dict[str, Any]:
    """Say in plain words what a model said of one picture.

    `label` is null and `dont_know` true below the model's threshold; `best` is the best class all the same.
    Where post-processing made a result, the raw outputs (masks, say) are left out unless asked for by name.

    >>> from okulo.core.model import Preprocess, Threshold
    >>> info = ModelInfo(task="classify", classes=("cat", "dog"), preprocess=Preprocess(size=(8, 8)),
    ...     threshold=Threshold(value=0.8))
    >>> said = describe(Seen({"probabilities": np.float32([0.75, 0.25])}, 480, 640), info, top=1)
    >>> said["label"], said["best"], said["dont_know"], said["top"]
    (None, 'cat', True, [{'label': 'cat', 'probability': 0.75}])
    >>> masked = Seen({"masks": np.zeros((1, 9, 9), np.float32)}, 9, 9, result=[])
    >>> list(describe(masked, info, top=1)), "masks" in describe(masked, info, 1, ["masks"])
    (['width', 'height', 'result'], True)
    """
    said: dict[str, Any] = {"width": seen.width, "height": seen.height}
    probabilities = seen.answer.get("probabilities")
    if probabilities is not None and len(info.classes) == len(probabilities):
        order = np.argsort(-probabilities, kind="stable")[: max(1, top)]
        best = info.classes[int(order[0])]
        probability = float(probabilities[order[0]])
        dont_know = info.threshold is not None and probability < info.threshold.value
        said |= {
            "label": None if dont_know else best,
            "best": best,
            "probability": probability,
            "dont_know": dont_know,
            "top": [
                {"label": info.classes[int(index)], "probability": float(probabilities[index])}
                for index in order[:top]
            ],
        }
    detects = info.task == "detect" and "boxes" in seen.answer
    if detects:
        said["objects"] = _objects(seen, info)
    for name, value in seen.answer.items():
        plain = probabilities is None and name not in HIDDEN and not detects and seen.result is None
        if name in also or plain:
            said[name] = value
    if seen.result is not None:
        said["result"] = seen.result
    return said
