"""Footprints as post-processing of a served network: `okulo serve buildings.onnx --postprocess footprints`.

`split` cuts the mask into pieces of one building each and sends them as bytes (a quarter of float32);
`predict` outlines and straightens them, in as many processes as the server has for it; `join` makes GeoJSON
of all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from okulo.algo.rings import FlatPolygons, contours, join_polygons
from okulo.apps.footprints.pipeline import join_told, keep_topology, on_edge
from okulo.apps.footprints.regularize import REASONS, STATUS, Frame, Regularity, Regularized, regularize_flat
from okulo.core.errors import BadInput
from okulo.core.protocols import Answer

MIN_AREA = 10.0
"""Smaller patches are left out, pixels of the mask."""
LEVEL = 127.5
TOLD = ("status", "iou", "angle_deg", "roughness", "directions")


class Footprints:
    """From `masks` (k, H, W), probabilities, to a GeoJSON collection in pixels of the picture that was
    sent."""

    def split(self, answer: Answer, height: int, width: int) -> list[dict[str, Any]]:
        """Cut out each patch that is above one half, with a margin, other patches blanked out."""
        import cv2

        del height, width
        if "masks" not in answer:
            raise BadInput("postprocess footprints", wanted="an output 'masks'", got=", ".join(answer))
        pieces: list[dict[str, Any]] = []
        for label, mask in enumerate(answer["masks"]):
            seen = to_bytes(mask)
            count, labels, boxes, _ = cv2.connectedComponentsWithStats(
                (seen > LEVEL).view(np.uint8), connectivity=8
            )
            for index in range(1, count):
                x, y, w, h, size = (int(each) for each in boxes[index])
                if size < MIN_AREA:
                    continue
                top, left = max(0, y - 1), max(0, x - 1)
                window = slice(top, y + h + 1), slice(left, x + w + 1)
                other = (labels[window] != index) & (labels[window] != 0)
                patch = np.where(other, np.uint8(0), seen[window])
                pieces.append(
                    {"label": label, "patch": patch, "corner": [left, top], "size": list(mask.shape)}
                )
        return pieces

    def predict(self, batch: Sequence[Mapping[str, Any]], /) -> list[dict[str, Any]]:
        """Outline and straighten each piece: its polygons as rings in pixels of the mask."""
        return [straighten(each) for each in batch]

    def join(
        self, answer: Answer, height: int, width: int, results: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Make one GeoJSON collection; a piece is a building."""
        scale = np.array([width / answer["masks"].shape[2], height / answer["masks"].shape[1]])
        raw, made = [], []
        pieces: list[Mapping[str, Any]] = []
        for piece in results:
            raw.append(_flat(piece["raw"]))
            made.append(Regularized(_flat(piece["made"]), *(np.array(piece[name]) for name in TOLD)))
            pieces += [piece] * len(made[-1])
        told = keep_topology(join_flat(raw), join_told(made), Regularity(), Frame(), walls=False)
        areas = told.outlines.areas() * float(scale.prod())
        features = []
        for index, piece in enumerate(pieces):
            name = STATUS[told.status[index]]
            said = {
                "id": index + 1,
                "label": piece["label"],
                "status": name,
                "reason": REASONS[name],
                "area_px": round(float(areas[index]), 2),
                "angle_deg": round(float(told.angle_deg[index]), 2),
                "iou": round(float(told.iou[index]), 4),
                "confidence": round(piece["confidence"], 4),
            }
            rings = [np.round(ring * scale, 2) for ring in told.outlines.polygon(index)]
            where = [np.concatenate([ring, ring[:1]]).tolist() for ring in rings]
            shape = {"type": "Polygon", "coordinates": where}
            features.append({"type": "Feature", "properties": said, "geometry": shape})
        return {"type": "FeatureCollection", "features": features}


def to_bytes(mask: np.ndarray) -> np.ndarray:
    """Bring probabilities to bytes: 127 and less is outside, 128 and more inside, as in the original."""
    scaled: np.ndarray = np.floor(np.nan_to_num(mask, nan=0.0) * 256).clip(0, 255).astype(np.uint8)
    return scaled


def straighten(piece: Mapping[str, Any]) -> dict[str, Any]:
    """Outline one piece and make it regular; in pixels of the mask."""
    patch = np.ascontiguousarray(piece["patch"], np.uint8)
    corner = np.array(piece["corner"], np.float64)
    height, width = piece["size"]
    flat = contours(patch, LEVEL, min_area=MIN_AREA, min_hole=MIN_AREA)
    flat = flat.with_points(flat.points + corner)
    told = regularize_flat(flat, Regularity(), flags=on_edge(flat.points, int(height), int(width)))
    inside = patch > LEVEL
    return {
        "label": int(piece["label"]),
        "confidence": float(patch[inside].mean() / 255) if inside.any() else 0.0,
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
