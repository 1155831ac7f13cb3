"""The other side of `benchmarks/footprints.py`: runs in its own environment, polygons in and out as WKT."""

import json
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

if __name__ == "__main__":
    import geopandas
    import shapely
    from buildingregulariser import regularize_geodataframe

    asked = json.loads(Path(sys.argv[1]).read_text())
    said = []
    for job in asked:
        frame = geopandas.GeoDataFrame(geometry=[shapely.from_wkt(each) for each in job["polygons"]])
        frame["row"] = range(len(frame))
        started = time.perf_counter()
        done = regularize_geodataframe(frame, num_cores=1, **job["options"])
        seconds = time.perf_counter() - started
        rows = {int(row): shape.wkt for row, shape in zip(done["row"], done.geometry)}
        said.append({"polygons": [rows.get(k) for k in range(len(frame))], "seconds": seconds})
    Path(sys.argv[2]).write_text(json.dumps(said))
