"""What every Predictor promises, checked the same way for all: a model file, a PyTorch network, a fake."""

from collections.abc import Sequence

import numpy as np

from okulo.core.protocols import Answer, Image, Predictor

TOLERANCE = 1e-5
"""Sums are added in another order when a batch is split."""


def check_predictor(predictor: Predictor[Image, Answer], batch: Sequence[Image]) -> None:
    """One answer each, in order; empty in, empty out; splitting changes nothing; inputs untouched."""
    assert len(batch) >= 3, "a batch of one or two shows little"
    before = [image.copy() for image in batch]
    for image in batch:
        image.setflags(write=False)
    whole = predictor.predict(batch)
    assert len(whole) == len(batch)
    assert list(predictor.predict([])) == []
    _same(whole, [*predictor.predict(batch[:1]), *predictor.predict(batch[1:])])
    _same(list(reversed(whole)), predictor.predict(list(reversed(batch))))
    for image, old in zip(batch, before):
        np.testing.assert_array_equal(image, old)


def _same(answers: Sequence[Answer], others: Sequence[Answer]) -> None:
    for one, other in zip(answers, others, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_allclose(one[name], other[name], atol=TOLERANCE, rtol=TOLERANCE)


def pictures(count: int = 5, seed: int = 0) -> list[Image]:
    """Small pictures of different sizes: a gradient each, under noise."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        height, width = int(rng.integers(9, 70)), int(rng.integers(9, 70))
        slope = np.linspace(0, 200, height * width * 3).reshape(height, width, 3)
        made.append((slope + rng.integers(0, 56, slope.shape) * (index % 3)).clip(0, 255).astype(np.uint8))
    return made


class Fake:
    """A Predictor without a network: mean colour says how probable the second of two classes is."""

    def predict(self, batch: Sequence[Image], /) -> list[Answer]:
        """Answer by brightness."""
        shares = [np.float32(image.mean() / 255) for image in batch]
        return [{"probabilities": np.array([1 - share, share], np.float32)} for share in shares]
