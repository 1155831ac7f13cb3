"""What fitting and judging share: embeddings of a planted set, measurements of its candidates; kept."""

from pathlib import Path

import numpy as np

from curate_truth import Truth
from okulo.curate.duplicates.candidates import nearest, whiten
from okulo.curate.duplicates.evidence import NAMES, measure
from okulo.curate.duplicates.sketch import sketch
from okulo.io.images import read_image
from okulo.runtime.answer_files import answer_files
from okulo.runtime.modelfile import load

NEIGHBOURS = 12


def embedded(truth: Truth, model: Path) -> np.ndarray:
    """The model's embedding of every file, computed once."""
    kept = truth.folder / "embedding.npy"
    if not kept.exists():
        file = load(model, threads=1, callers=2)
        rows = answer_files(file, truth.files(), ["embedding"], 32, 2)
        np.save(kept, np.stack([row.answer["embedding"] for row in rows if row.answer]))
    return np.load(kept)


def measured(truth: Truth, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Candidate pairs, and what is measured of each; computed once."""
    kept = truth.folder / "measured.npz"
    if not kept.exists():
        pairs, cosine = nearest(whiten(vectors, np.random.default_rng(0)), NEIGHBOURS)
        seen = [sketch(read_image(file)) for file in truth.files()]
        numbers = np.stack([measure(seen[i], seen[j], float(c), True) for (i, j), c in zip(pairs, cosine)])
        np.savez(kept, pairs=pairs, numbers=numbers, names=np.array(NAMES))
    said = np.load(kept)
    if tuple(said["names"].tolist()) != NAMES:
        raise SystemExit(f"{kept} holds other measurements: delete it")
    return said["pairs"], said["numbers"]
