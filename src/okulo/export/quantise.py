"""Int8: weights and activations in eighths of the memory, at a price in answers that is measured and said."""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto

from okulo.core.errors import BadInput
from okulo.core.protocols import Answer
from okulo.runtime.graph import SEAM


@dataclass(frozen=True)
class Quantised:
    """What int8 changed, on the same pictures; accuracies are shares 0 to 1 (None without labels)."""

    calibrated_on: int
    checked_on: int
    split: str
    accuracy_before: float | None
    accuracy_after: float | None
    agreement: float
    bytes_before: int
    bytes_after: int

    @property
    def drop(self) -> float:
        """Points of accuracy lost; without labels, points of answers changed."""
        if self.accuracy_before is None or self.accuracy_after is None:
            return 100 * (1 - self.agreement)
        return 100 * (self.accuracy_before - self.accuracy_after)


def to_int8(network: ModelProto, batches: Iterable[np.ndarray]) -> ModelProto:
    """Quantise a network from `pixels` on: static, QDQ, weights int8 per channel, activations uint8.

    Signed activations run 1.4 to 3.2 times slower in ONNX Runtime here; one scale a tensor ruins depthwise
    convolutions. `batches` of real `pixels` (n, 3, H, W) set the ranges of the activations.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _hushed():
        plain, ready, made = (Path(folder) / f"{name}.onnx" for name in ("plain", "ready", "int8"))
        onnx.save(network, plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            made,
            _Reader(iter(batches)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return onnx.load(made, load_external_data=False)


class _Reader:
    """Gives the calibrator one batch after another."""

    def __init__(self, batches: Iterator[np.ndarray]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, np.ndarray] | None:
        pixels = next(self._batches, None)
        return None if pixels is None else {SEAM: pixels}


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep ONNX Runtime's quantiser from printing and logging advice that does not apply here."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


def check_drop(quantised: Quantised, max_drop: float, force: bool) -> None:
    """Refuse a quantised network that lost more than `max_drop` points, unless forced."""
    if quantised.drop > max_drop and not force:
        kept = f"{100 * quantised.agreement:.1f} % of the answers are the same"
        raise BadInput(
            "int8",
            f"loses {quantised.drop:.1f} points on {quantised.checked_on} pictures ({kept}), "
            f"allowed are {max_drop:g}",
            hint="--max-drop sets the bound, --force writes it all the same",
        )


def share_right(answers: Sequence[Answer], classes: Sequence[str], labels: Sequence[str]) -> float:
    """Share of answers whose best class is the label.

    >>> share_right([{"probabilities": np.float32([0.2, 0.8])}], ["cat", "dog"], ["dog"])
    1.0
    """
    right = [
        classes[int(answer["probabilities"].argmax())] == label for answer, label in zip(answers, labels)
    ]
    return float(np.mean(right))


def share_same(answers: Sequence[Answer], others: Sequence[Answer]) -> float:
    """Share of pictures with the same best class; for embeddings, mean cosine similarity.

    >>> share_same([{"embedding": np.float32([1, 0])}], [{"embedding": np.float32([1, 0])}])
    1.0
    """
    if "probabilities" in answers[0]:
        name = "probabilities"
        return float(np.mean([a[name].argmax() == b[name].argmax() for a, b in zip(answers, others)]))
    pairs = [(a["embedding"], b["embedding"]) for a, b in zip(answers, others)]
    return float(
        np.mean([a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12) for a, b in pairs])
    )
