"""Footprints as post-processing of a served network: `okulo serve buildings.onnx --postprocess footprints`.

`split` outlines the mask and sends the outlines in groups (2.5 kB a building, as much as a patch of bytes);
`predict` makes them regular, in as many processes as the server has for it; `join` makes GeoJSON of all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from okulo.algo.rings import FlatPolygons, contours, join_polygons
from okulo.apps.footprints.pipeline import confidences, join_told, keep_topology, on_edge
from okulo.apps.footprints.raster import Mask, Place
from okulo.apps.footprints.regularize import REASONS, Frame, Regularity, Regularized, regularize_flat
from okulo.core.errors import BadInput
from okulo.core.protocols import Answer

MIN_AREA = 10.0
"""Smaller patches are left out, pixels of the mask."""
LEVEL = 127.5
GROUP = 32
"""So many buildings are sent together: some 4 ms of work, against 0.2 ms to send and receive them."""
TOLD = ("status", "iou", "angle_deg", "roughness", "directions")


class Footprints:
    """From `masks` (k, H, W), probabilities, to a GeoJSON collection in pixels of the picture sent."""

    def split(self, answer: Answer, height: int, width: int) -> list[dict[str, Any]]:
        """Outline each mask; a piece is a group of buildings."""
        del height, width
        if "masks" not in answer:
            raise BadInput("postprocess footprints", wanted="an output 'masks'", got=", ".join(answer))
        pieces: list[dict[str, Any]] = []
        for label, mask in enumerate(answer["masks"]):
            seen = to_bytes(mask)
            flat = contours(seen, LEVEL, min_area=MIN_AREA, min_hole=MIN_AREA)
            if not len(flat):
                continue
            sure = np.array(confidences(bytes_mask(seen), flat), np.float64)
            for first in range(0, len(flat), GROUP):
                last = min(first + GROUP, len(flat))
                pieces.append(
                    {
                        "label": label,
                        "size": list(mask.shape),
                        "confidence": sure[first:last],
                        **_plain(flat.part(first, last)),
                    }
                )
        return pieces

    def predict(self, batch: Sequence[Mapping[str, Any]], /) -> list[dict[str, Any]]:
        """Straighten each group, in pixels of the mask."""
        return [straighten(each) for each in batch]

    def join(
        self, answer: Answer, height: int, width: int, results: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Make one GeoJSON collection; a feature is a building."""
        scale = np.array([width / answer["masks"].shape[2], height / answer["masks"].shape[1]])
        raw = [_flat(piece["raw"]) for piece in results]
        made = [
            Regularized(_flat(piece["made"]), *(np.array(piece[name]) for name in TOLD)) for piece in results
        ]
        told = keep_topology(join_flat(raw), join_told(made), Regularity(), Frame(), walls=False)
        labels = [piece["label"] for piece, some in zip(results, made) for _ in range(len(some))]
        sure = [float(each) for piece in results for each in piece["confidence"]]
        areas = np.round(told.outlines.areas() * float(scale.prod()), 2).tolist()
        angles, ious = np.round(told.angle_deg, 2).tolist(), np.round(told.iou, 4).tolist()
        points = np.round(told.outlines.points * scale, 2)
        outlines = told.outlines.with_points(points)
        features = []
        for index, name in enumerate(told.names()):
            said = {
                "id": index + 1,
                "label": labels[index],
                "status": name,
                "reason": REASONS[name],
                "area_px": areas[index],
                "angle_deg": angles[index],
                "iou": ious[index],
                "confidence": sure[index],
            }
            where = [[*ring, ring[0]] for ring in (each.tolist() for each in outlines.polygon(index))]
            shape = {"type": "Polygon", "coordinates": where}
            features.append({"type": "Feature", "properties": said, "geometry": shape})
        return {"type": "FeatureCollection", "features": features}


def to_bytes(mask: np.ndarray) -> np.ndarray:
    """Bring probabilities to bytes: 127 and less is outside, 128 and more inside, as in the original."""
    scaled = np.fmax(mask * np.float32(256), np.float32(0))  # what is no number becomes 0
    whole: np.ndarray = np.minimum(scaled, np.float32(255), out=scaled).astype(np.uint8)
    return whole


def bytes_mask(seen: np.ndarray) -> Mask:
    """Bytes as a mask that can be read in windows."""

    def read(row: int, column: int, height: int, width: int) -> np.ndarray:
        return seen[row : row + height, column : column + width]

    height, width = seen.shape
    return Mask("mask", height, width, read, "probability", LEVEL, 255.0, Place())


def straighten(piece: Mapping[str, Any]) -> dict[str, Any]:
    """Make the outlines of one group regular; in pixels of the mask."""
    flat = _flat(piece)
    height, width = piece["size"]
    told = regularize_flat(flat, Regularity(), flags=on_edge(flat.points, int(height), int(width)))
    return {
        "label": int(piece["label"]),
        "confidence": np.array(piece["confidence"]),
        "raw": _plain(flat),
        "made": _plain(told.outlines),
        **{name: getattr(told, name) for name in TOLD},
    }


def _plain(flat: FlatPolygons) -> dict[str, np.ndarray]:
    return {"points": flat.points, "rings": flat.rings, "polygons": flat.polygons}


def _flat(said: Mapping[str, Any]) -> FlatPolygons:
    return FlatPolygons(np.array(said["points"]), np.array(said["rings"]), np.array(said["polygons"]))


def join_flat(parts: Sequence[FlatPolygons]) -> FlatPolygons:
    """Put flat polygons together."""
    return join_polygons([each.polygon(k) for each in parts for k in range(len(each))])
