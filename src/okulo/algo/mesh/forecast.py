"""A forecast of each filter's error from the traces of all of them, fitted to meshes whose truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

FAR = 4.0
"""Traces further than this many standard deviations from what was seen count as this far: no wild guesses."""

WIDTH = 0.1
"""Of the Gaussian part of the kernel: exp(-WIDTH · mean squared difference of standardised traces)."""

STRAIGHT = 0.1
"""Weight of the linear part of the kernel, which goes on where the Gaussian part has seen nothing."""

STIFF = 0.01
"""Ridge: how little a single mesh may pull."""

FLOOR_DEG = 0.05
"""Added to errors before their logarithm is taken: below it nobody sees a difference."""


@dataclass(frozen=True)
class Forecast:
    """Kernel ridge regression of the logarithm of each candidate's error of normals."""

    names: tuple[str, ...]
    """The candidates, in the order in which traces are taken."""
    mean: Float64[np.ndarray, " d"]
    scale: Float64[np.ndarray, " d"]
    seen: Float64[np.ndarray, "n d"]
    """Standardised traces of the meshes it learned from."""
    weights: Float64[np.ndarray, "n k"]
    usual: Float64[np.ndarray, " k"]
    """Mean of the logarithms: what it says of a mesh like no other."""

    def errors_deg(self, traces: Float64[np.ndarray, " d"]) -> Float64[np.ndarray, " k"]:
        """Expect so many degrees of mean error of normals of each candidate."""
        kernel = _kernel(_standard(traces[None], self.mean, self.scale), self.seen)
        said = np.exp((kernel @ self.weights + self.usual)[0]) - FLOOR_DEG
        return np.asarray(np.clip(said, 0.01, 180.0))


def fit_forecast(
    names: Sequence[str], traces: Float64[np.ndarray, "n d"], errors_deg: Float64[np.ndarray, "n k"]
) -> Forecast:
    """Fit a forecast to meshes whose errors are known.

    >>> one = fit_forecast(["a", "b"], np.array([[0.0], [1.0], [2.0]]), np.array([[1.0, 4], [2, 2], [4, 1]]))
    >>> one.errors_deg(np.array([0.0])).round(1).tolist()
    [1.0, 4.0]
    """
    mean, scale = traces.mean(axis=0), np.maximum(traces.std(axis=0), 1e-3)
    seen = _standard(traces, mean, scale).astype(np.float16).astype(np.float64)  # as it is kept
    logs = np.log(errors_deg + FLOOR_DEG)
    usual = logs.mean(axis=0)
    weights = np.linalg.solve(_kernel(seen, seen) + STIFF * np.eye(len(seen)), logs - usual)
    return Forecast(tuple(names), mean, scale, seen, weights, usual)


def _standard(
    traces: Float64[np.ndarray, "n d"], mean: Float64[np.ndarray, " d"], scale: Float64[np.ndarray, " d"]
) -> Float64[np.ndarray, "n d"]:
    return np.asarray(np.clip((traces - mean) / scale, -FAR, FAR))


def _kernel(a: Float64[np.ndarray, "n d"], b: Float64[np.ndarray, "m d"]) -> Float64[np.ndarray, "n m"]:
    """Gaussian plus linear, of standardised traces."""
    alike = a @ b.T / a.shape[1]
    apart = (a**2).mean(axis=1)[:, None] + (b**2).mean(axis=1) - 2 * alike
    return np.asarray(np.exp(-WIDTH * apart) + STRAIGHT * alike)
