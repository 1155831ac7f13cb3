"""Expect the error a method will leave, from what is seen of a surface: a quadratic formula of logarithms."""

import numpy as np
from jaxtyping import Float, Float64


def terms(surfaces: Float[np.ndarray, "n s"]) -> Float64[np.ndarray, "n t"]:
    """1, the logarithms of what is seen, and their products.

    >>> terms(np.array([[0.99, 99.99]])).round(2).tolist()
    [[1.0, 0.0, 2.0, 0.0, 0.0, 4.0]]
    """
    logs = np.log10(surfaces.astype(np.float64) + 0.01)
    first, second = np.triu_indices(logs.shape[1])
    return np.column_stack([np.ones(len(logs)), logs, logs[:, first] * logs[:, second]])


def fit_errors(
    surfaces: Float[np.ndarray, "n s"], errors_deg: Float[np.ndarray, "n m"], ridge: float = 0.3
) -> Float64[np.ndarray, "t m"]:
    """Fit the logarithm of each method's error, less the mesh's mean over all methods.

    Only which method is better matters: how hard a mesh is, is the same for all and left out.
    """
    logs = np.log10(np.maximum(errors_deg, 0.05))
    seen = terms(surfaces)
    scale = seen.std(axis=0)
    held = ridge * np.diag(np.where(scale > 1e-9, scale**2, 1.0)) * (np.arange(seen.shape[1]) > 0)
    wanted = logs - logs.mean(axis=1, keepdims=True)
    weights: Float64[np.ndarray, "t m"] = np.linalg.solve(
        seen.T @ seen + held * len(seen) / 10, seen.T @ wanted
    )
    return weights


def predict(
    weights: Float64[np.ndarray, "t m"], surface: Float[np.ndarray, " s"]
) -> Float64[np.ndarray, " m"]:
    """Expected error of each method, relative to the mean over all of them."""
    return np.asarray(10.0 ** (terms(surface[None]) @ weights)[0], np.float64)
