"""Errors of the filters and of a network on a pair, as `okulo mesh denoise` would leave them."""

import numpy as np
from torch import nn

from okulo.algo.mesh.describe import Senses
from okulo.algo.mesh.feeds import Described
from okulo.algo.mesh.measure import angles_deg
from okulo.algo.mesh.methods import FOLLOW
from okulo.algo.mesh.normals import follow_normals, led_normals
from okulo.algo.mesh.topology import face_shapes
from okulo.train.mesh.fit import STAGES, guess, next_pair
from okulo.train.mesh.pairs import Pair


def filter_errors(pair: Pair, senses: Senses) -> list[float]:
    """Mean errors of normals of the mesh itself and of what every filter leads to, in degrees."""
    errors = []
    for place, name in enumerate(senses.filters):
        normals = pair.said.normals[:, place].astype(np.float64)
        if name.startswith(("bilateral", "guided")):  # the others moved the vertices already
            normals = _led_to(pair.said, normals)
        errors.append(float(angles_deg(normals, pair.truth).mean()))
    return errors


def learned_error(network: nn.Module, method: str, pair: Pair, senses: Senses) -> float:
    """Mean error of normals of the mesh that the network leads to, as `okulo mesh denoise` makes it."""
    for stage in range(STAGES.get(method, 1)):
        if stage:
            pair = next_pair(network, method, pair, senses, stage - 1)
        normals = guess(network, method, pair.said, stage)
    if method == "guide":
        shapes = face_shapes(pair.said.mesh.vertices, pair.said.mesh.faces)
        normals = led_normals(shapes, pair.said.near, normals)
    return float(angles_deg(_led_to(pair.said, normals), pair.truth).mean())


def _led_to(said: Described, normals: np.ndarray) -> np.ndarray:
    moved = follow_normals(said.mesh, said.near, normals, FOLLOW)
    return face_shapes(moved.vertices, moved.faces).normals
