"""Built-in post-processing: the outline of every connected patch of every mask."""

from collections.abc import Sequence

import numpy as np

from okulo.core.errors import BadInput
from okulo.core.protocols import Answer

LEVEL = 0.5
"""A pixel belongs to the mask above this probability."""


class Outlines:
    """From `masks` (k, H, W), probabilities, to polygons in pixels of the picture that was sent."""

    def split(self, answer: Answer, height: int, width: int) -> list[dict[str, object]]:
        """Cut out each connected patch, with a pixel of margin."""
        import cv2

        if "masks" not in answer:
            raise BadInput("postprocess outlines", wanted="an output 'masks'", got=", ".join(answer))
        patches: list[dict[str, object]] = []
        for label, mask in enumerate(answer["masks"]):
            on = np.pad((mask > LEVEL).astype(np.uint8), 1)
            count, labels, boxes, _ = cv2.connectedComponentsWithStats(on, connectivity=4)
            scale = [width / mask.shape[1], height / mask.shape[0]]
            for index in range(1, count):
                x, y, w, h = (int(each) for each in boxes[index][:4])
                patch = labels[y - 1 : y + h + 1, x - 1 : x + w + 1] == index
                patches.append({"label": label, "patch": patch, "corner": [x - 2, y - 2], "scale": scale})
        return patches

    def predict(self, batch: Sequence[dict[str, object]], /) -> list[dict[str, object]]:
        """Outline each patch: its outer ring, area in pixels of the picture, label."""
        import cv2

        said: list[dict[str, object]] = []
        for each in batch:
            patch = np.asarray(each["patch"], np.uint8)
            rings, _ = cv2.findContours(patch, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            scale = np.asarray(each["scale"], np.float64)
            ring = (rings[0][:, 0, :] + np.asarray(each["corner"]) + 0.5) * scale
            area = float(patch.sum() * scale.prod())
            said.append({"label": each["label"], "ring": ring.round(2).tolist(), "area_px": round(area, 2)})
        return said

    def join(
        self, answer: Answer, height: int, width: int, results: Sequence[dict[str, object]]
    ) -> list[dict[str, object]]:
        """All outlines, in order."""
        del answer, height, width
        return list(results)
