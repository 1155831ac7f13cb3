"""Pairs to learn from: clean meshes, made or given, and what noise makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from okulo.algo.mesh.describe import Senses, describe
from okulo.algo.mesh.estimate import noise_level
from okulo.algo.mesh.feeds import Described, put_together
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.topology import face_shapes, topology
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent
from okulo.train.mesh.shapes import clean_shape

KINDS = {"along-normal": 0.5, "gaussian": 0.2, "scanner": 0.15, "impulsive": 0.15}
"""Kinds of noise and how often each is taken."""

LEVELS = (0.04, 0.4)


@dataclass(frozen=True)
class Pair:
    """A noisy mesh, what the filters say of it, and the true normals."""

    name: str
    said: Described
    truth: Float64[np.ndarray, "f 3"]


def make_pair(
    clean: Mesh, kind: str, level: float, name: str, senses: Senses, rng: np.random.Generator
) -> Pair:
    """Spoil a clean mesh and describe the result."""
    near = topology(clean)
    noisy = add_noise(clean, kind, level, rng)
    normals = describe(noisy, near, senses.filters)
    said = put_together(noisy, near, normals, senses, noise_level(noisy, near))
    return Pair(name, said, face_shapes(clean.vertices, clean.faces).normals)


def make_pairs(
    count: int, faces: int, scans: Sequence[Path], senses: Senses, seed: int, progress: Progress = silent
) -> list[Pair]:
    """Make `count` pairs of about `faces` faces each, every kind of shape and noise among them."""
    made = []
    for index in progress(range(count), label="making pairs"):
        rng = np.random.default_rng([seed, index])
        name, clean = clean_shape(index, int(faces * np.exp(rng.uniform(-1, 0.7))), scans, rng)
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        made.append(make_pair(clean, kind, float(rng.uniform(*LEVELS)), name, senses, rng))
    return made
