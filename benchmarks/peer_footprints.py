"""The other side of `benchmarks/footprints.py`: runs in its own environment, polygons in and out as WKT."""

import ast
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")


def geoai(module: str) -> Callable[..., Any]:
    """`regularization` of geoai's module alone: the package wants torch and more to be imported."""
    import typing

    import geopandas
    import numpy
    from shapely.geometry import Polygon

    tree = ast.parse(Path(module).read_text())
    wanted = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "regularization"]
    known: dict[str, Any] = {**vars(typing), "gpd": geopandas, "np": numpy, "Polygon": Polygon}
    known["logger"] = logging.getLogger("geoai")
    exec(compile(ast.Module(wanted, []), module, "exec"), known)
    function: Callable[..., Any] = known["regularization"]
    return function


def main() -> None:
    import geopandas
    import shapely
    from buildingregulariser import regularize_geodataframe

    asked = json.loads(Path(sys.argv[1]).read_text())
    said = []
    for job in asked:
        shapes = [shapely.from_wkt(each) for each in job["polygons"]]
        started = time.process_time()
        if "geoai" in job:
            work = geoai(job["geoai"])
            started = time.process_time()
            rows = {k: shape.wkt for k, shape in enumerate(work(shapes, **job["options"]))}
        else:
            frame = geopandas.GeoDataFrame(geometry=shapes)
            frame["row"] = range(len(frame))
            started = time.process_time()
            done = regularize_geodataframe(frame, num_cores=1, **job["options"])
            rows = {int(row): shape.wkt for row, shape in zip(done["row"], done.geometry)}
        seconds = time.process_time() - started
        said.append({"polygons": [rows.get(k) for k in range(len(shapes))], "seconds": seconds})
    Path(sys.argv[2]).write_text(json.dumps(said))


if __name__ == "__main__":
    main()
