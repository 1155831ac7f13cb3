"""A page to look at footprints: one file, no server, no CDN; zoom, pan, and what is said of each."""

import base64
import json
from pathlib import Path

import numpy as np

from okulo.apps.footprints.pipeline import Made
from okulo.apps.footprints.preview import COLOURS, backdrop
from okulo.apps.footprints.raster import Mask
from okulo.io.files import write_text
from okulo.io.images import encode_jpeg

TEMPLATE = Path(__file__).parent / "page.html.j2"


def write_page(path: Path, made: Made, mask: Mask | None, picture: Path | None) -> None:
    """Write the page: outlines as SVG over the mask or photo, in pixels of the mask."""
    from jinja2 import Environment

    image, scale, low = backdrop(mask, picture, made)
    columns = made.footprints.columns
    names = list(columns)
    buildings = []
    for index in range(len(made.pixels)):
        rings = [np.round(ring - low, 2).tolist() for ring in made.pixels.polygon(index)]
        outline = "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in ring) + "Z" for ring in rings)
        buildings.append({"d": outline, "p": {name: columns[name][index] for name in names}})
    template = Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    data = json.dumps({"buildings": buildings, "colours": {n: f"rgb{c}" for n, c in COLOURS.items()}})
    text = template.render(
        title=path.stem,
        count=len(buildings),
        width=round(image.shape[1] / scale, 2),
        height=round(image.shape[0] / scale, 2),
        image=base64.b64encode(encode_jpeg(image, quality=85)).decode(),
        data=data.replace("<", "\\u003c"),
    )
    write_text(path, text)
