"""Which pairs of pictures are worth a look: each one's nearest neighbours by embedding."""

from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

EXACT_UP_TO = 50_000
"""Above this many vectors an inverted-file index takes the place of comparing all with all."""
DIMENSIONS = 256
FITTED_ON = 20_000
LEAST_FOR_COSINE = 128
"""With fewer whitened dimensions a cosine between two pictures is mostly chance."""


def whiten(vectors: Float32[np.ndarray, "n d"], rng: np.random.Generator) -> Float32[np.ndarray, "n w"]:
    """Rotate to principal axes, give each the same spread, keep 256 at most, bring rows to length 1.

    So what all pictures share counts less (Jégou & Chum 2012, doi 10.1007/978-3-642-33709-3_55). The
    axes are fitted on at most 20,000 rows; where rows are few, so are the axes: one for four rows.

    >>> whiten(np.eye(8, dtype=np.float32), np.random.default_rng(0)).shape
    (8, 2)
    """
    count, length = vectors.shape
    if count < 2:
        return np.zeros((count, 1), np.float32)
    some = vectors if count <= FITTED_ON else vectors[np.sort(rng.choice(count, FITTED_ON, replace=False))]
    mean = some.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread, axes = np.linalg.eigh(np.cov((some - mean).T.astype(np.float64)).reshape(length, length))
    kept = max(1, min(DIMENSIONS, count // 4, length))
    spread, axes = spread[::-1][:kept], axes[:, ::-1][:, :kept]
    scaled = (axes / np.sqrt(np.maximum(spread, 1e-9 * max(float(spread[0]), 1e-9)))).astype(np.float32)
    turned: np.ndarray = (vectors - mean) @ scaled
    white: np.ndarray = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
    return white


def nearest(
    vectors: Float32[np.ndarray, "n d"], k: int, exact_up_to: int = EXACT_UP_TO
) -> tuple[Int64[np.ndarray, "p 2"], Float32[np.ndarray, " p"]]:
    """Pair every row with its `k` nearest others (rows of length 1): each pair once, i < j, and its cosine.

    Up to 50,000 rows are compared all with all; above that, lists of an inverted file (FAISS IVF) are.

    >>> pairs, cosine = nearest(np.float32([[1, 0], [0.8, 0.6], [0, 1]]), 1)
    >>> pairs.tolist(), cosine.tolist()
    ([[0, 1], [1, 2]], [0.8..., 0.6...])
    """
    count, length = vectors.shape
    if count < 2:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
    import faiss

    if count <= exact_up_to:
        index: Any = faiss.IndexFlatIP(length)
    else:
        lists = int(4 * np.sqrt(count))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(length), length, lists, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = max(16, lists // 32)
        index.train(vectors[:: max(1, count // (lists * 64))])
    index.add(vectors)
    cosine, found = index.search(vectors, min(k + 1, count))
    row = np.repeat(np.arange(count), found.shape[1])
    other, cosine = found.ravel().astype(np.int64), cosine.ravel()
    real = (other >= 0) & (other != row)
    low, high = np.minimum(row, other)[real], np.maximum(row, other)[real]
    _, once = np.unique(low * count + high, return_index=True)
    return np.stack([low[once], high[once]], axis=1), np.minimum(cosine[real][once], 1).astype(np.float32)
