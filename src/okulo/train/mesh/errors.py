"""Errors of the filters and of a network on a pair, as `okulo mesh denoise` would leave them."""

import numpy as np
from torch import nn

from okulo.algo.mesh.describe import FILTERS
from okulo.algo.mesh.measure import angles_deg
from okulo.algo.mesh.normals import follow_normals, led_normals
from okulo.algo.mesh.topology import face_shapes
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
