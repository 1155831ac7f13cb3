"""A small software renderer, compiled: triangles into a depth buffer, flat shaded."""

import numpy as np

from okulo.algo.mesh.compiled import compiled


@compiled
def draw(points, faces, colours, light, size):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Draw triangles (x, y in pixels, z towards the viewer) into a float32 picture (size, size, 3)."""
    picture = np.ones((size, size, 3), np.float32)
    depth = np.full((size, size), -np.inf)
    for f in range(len(faces)):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        u, w = b - a, c - a
        x, y, z = u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2], u[0] * w[1] - u[1] * w[0]
        long = np.sqrt(x * x + y * y + z * z)
        if long == 0 or z == 0:
            continue
        shade = 0.25 + 0.75 * abs(x * light[0] + y * light[1] + z * light[2]) / long
        left = max(0, int(np.floor(min(a[0], b[0], c[0]))))
        right = min(size - 1, int(np.ceil(max(a[0], b[0], c[0]))))
        low = max(0, int(np.floor(min(a[1], b[1], c[1]))))
        high = min(size - 1, int(np.ceil(max(a[1], b[1], c[1]))))
        for row in range(low, high + 1):
            for column in range(left, right + 1):
                s = ((column - a[0]) * w[1] - (row - a[1]) * w[0]) / z
                t = ((row - a[1]) * u[0] - (column - a[0]) * u[1]) / z
                if s < -1e-9 or t < -1e-9 or s + t > 1 + 1e-9:
                    continue
                height = a[2] + s * u[2] + t * w[2]
                if height > depth[row, column]:
                    depth[row, column] = height
                    for d in range(3):
                        picture[row, column, d] = colours[f, d] * shade
    return picture
