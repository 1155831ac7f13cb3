"""Fit when a model is better than the filters: errors of all of them on pairs, and a formula for `auto`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from okulo.algo.mesh.choose import fit_errors
from okulo.algo.mesh.describe import FILTERS
from okulo.algo.mesh.measure import angles_deg
from okulo.algo.mesh.normals import follow_normals, led_normals
from okulo.algo.mesh.topology import face_shapes
from okulo.core.protocols import Progress, silent
from okulo.train.mesh.fit import STAGES, guess, next_pair
from okulo.train.mesh.pairs import Pair

FOLLOW = 30


def filter_errors(pair: Pair) -> list[float]:
    """Mean errors of normals of the mesh itself and of what every filter leads to, in degrees."""
    errors = []
    for place in range(len(FILTERS)):
        normals = pair.described[:, place].astype(np.float64)
        if FILTERS[place].startswith(("bilateral", "guided")):  # the others moved the vertices already
            normals = _led_to(pair, normals)
        errors.append(float(angles_deg(normals, pair.truth).mean()))
    return errors


def learned_error(network: nn.Module, method: str, pair: Pair) -> float:
    """Mean error of normals of the mesh that the network leads to, as `okulo mesh denoise` makes it."""
    for stage in range(STAGES if method == "cascade" else 1):
        if stage:
            pair = next_pair(network, pair, stage - 1)
        normals = guess(network, method, pair, stage)
    if method == "guide":
        normals = led_normals(face_shapes(pair.mesh.vertices, pair.mesh.faces), pair.near, normals)
    return float(angles_deg(_led_to(pair, normals), pair.truth).mean())


def _led_to(pair: Pair, normals: np.ndarray) -> np.ndarray:
    moved = follow_normals(pair.mesh, pair.near, normals, FOLLOW)
    return face_shapes(moved.vertices, moved.faces).normals


def fit_chooser(
    network: nn.Module, method: str, pairs: Sequence[Pair], progress: Progress = silent
) -> dict[str, Any]:
    """Fit the formula by which `auto` chooses between the filters and this network; for the file's notes."""
    errors = [
        [*filter_errors(pair)[1:], learned_error(network, method, pair)]
        for pair in progress(pairs, label="comparing with the filters")
    ]
    weights = fit_errors(np.stack([pair.surface for pair in pairs]), np.array(errors))
    return {"methods": [*FILTERS[1:], "learned"], "weights": weights.round(5).tolist()}
