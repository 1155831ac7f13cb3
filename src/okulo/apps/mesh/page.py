"""One HTML file to turn a mesh in: before, after, what changed. It needs nothing else, also offline."""

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.io.files import write_text

VIEWER = ("web", "static", "vendor", "mesh-viewer", "viewer.js")
MOST_FACES = 1_000_000


def check_built() -> None:
    """Raise BadInput if `make web` has not put three.js into this installation."""
    if not files("okulo").joinpath(*VIEWER).is_file():
        raise BadInput(
            "page", "the mesh viewer is not built into this installation", hint="run `make web` (needs npm)"
        )


def write_page(
    path: Path,
    title: str,
    before: Mesh,
    after: Mesh,
    values_deg: Float64[np.ndarray, " f"],
    meaning: str,
    summary: str,
) -> None:
    """Write the page; `values_deg` of the faces are its heat map, `meaning` says what they are."""
    import jinja2
    import matplotlib as mpl
    from markupsafe import Markup

    check_built()
    if len(after.faces) > MOST_FACES:
        hint = "write a --preview instead"
        raise BadInput("page", wanted=f"at most {MOST_FACES:,} faces", got=f"{len(after.faces):,}", hint=hint)
    script = files("okulo").joinpath(*VIEWER).read_text(encoding="utf-8")
    most = max(5.0, float(np.percentile(values_deg, 98)))
    scale = (mpl.colormaps["magma_r"](np.arange(256))[:, :3] * 255).round().astype(int)
    heat = np.clip(values_deg / most * 255, 0, 255).astype(np.uint8)
    text = json.dumps({**pack(before, after), "heat": _text(heat), "scale": scale.tolist()})
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("okulo.apps.mesh", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    made = environment.get_template("page.html.j2").render(
        title=title,
        meaning=meaning,
        summary=summary,
        most=f"{most:.0f}",
        gradient=", ".join(f"rgb({r} {g} {b})" for r, g, b in scale[::51]),
        mesh=Markup(text),  # noqa: S704  # numbers and base64 only
        script=Markup(script),  # noqa: S704  # our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_text(path, made)


def pack(before: Mesh, after: Mesh) -> dict[str, Any]:
    """Bring both meshes into one box of 65,536 steps a side, its longest side 1.

    >>> corner = Mesh(np.array([[0.0, 0, 0], [4, 0, 0], [0, 2, 0]]), np.int32([[0, 1, 2]]))
    >>> packed = pack(corner, corner)
    >>> np.frombuffer(base64.b64decode(packed["after"]), np.uint16).reshape(3, 3)[:, :2].tolist()
    [[0, 0], [65535, 0], [0, 32768]]
    """
    both = np.concatenate([before.vertices, after.vertices])
    low, size = both.min(axis=0), float(np.ptp(both, axis=0).max()) or 1.0
    steps = [np.round((mesh.vertices - low) / size * 65535).astype("<u2") for mesh in (before, after)]
    return {
        "before": _text(steps[0]),
        "after": _text(steps[1]),
        "faces": _text(after.faces.astype("<u4")),
        "low": [0.0, 0.0, 0.0],
        "step": 1 / 65535,
    }


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
