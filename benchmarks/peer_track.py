"""Other trackers on the same detections; run by track.py in an environment that has them (peers.txt).

Reads an npz of detections (frame, time_s, xyxy, score), writes for each row the track it was given (−1: none)
and how many frames a second that took. A tracker that moves boxes (norfair) is held to the boxes it was
given.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
Update = Callable[[np.ndarray, np.ndarray], np.ndarray]


def supervision_bytetrack(fps: float) -> Update:
    import supervision as sv

    tracker = sv.ByteTrack(frame_rate=round(fps))
    return lambda xyxy, score: _by_index(tracker.update_with_detections, xyxy, score)


def trackers_bytetrack(fps: float) -> Update:
    from trackers import ByteTrackTracker

    tracker = ByteTrackTracker(frame_rate=fps)
    return lambda xyxy, score: _by_index(tracker.update, xyxy, score)


def trackers_sort(fps: float) -> Update:
    from trackers import SORTTracker

    tracker = SORTTracker(frame_rate=fps)
    return lambda xyxy, score: _by_index(tracker.update, xyxy, score)


def _by_index(update: Callable, xyxy: np.ndarray, score: np.ndarray) -> np.ndarray:
    import supervision as sv

    given = sv.Detections(xyxy=xyxy, confidence=score, class_id=np.zeros(len(score), int))
    given.data["row"] = np.arange(len(score))
    back = update(given)
    said = np.full(len(score), -1)
    if len(back) and back.tracker_id is not None:
        said[back.data["row"].astype(int)] = back.tracker_id
    return said


def norfair_iou(fps: float) -> Update:
    from norfair import Detection, Tracker

    tracker = Tracker(
        distance_function="iou", distance_threshold=0.7, initialization_delay=1, hit_counter_max=15
    )

    def update(xyxy: np.ndarray, score: np.ndarray) -> np.ndarray:
        strong = np.flatnonzero(score >= 0.5)  # it has no second stage
        given = [Detection(xyxy[i].reshape(2, 2), scores=np.full(2, score[i]), data=int(i)) for i in strong]
        said = np.full(len(score), -1)
        for each in tracker.update(detections=given):
            if each.last_detection.data is not None and any(each.last_detection is d for d in given):
                said[each.last_detection.data] = each.id
        return said

    return update


PEERS = {
    "supervision ByteTrack": supervision_bytetrack,
    "trackers ByteTrack": trackers_bytetrack,
    "trackers SORT": trackers_sort,
    "norfair": norfair_iou,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detections", type=Path)
    parser.add_argument("tracks", type=Path)
    said = parser.parse_args()
    data = np.load(said.detections)
    cuts = np.searchsorted(data["frame"], np.arange(data["frames"]))
    xyxy, score = np.split(data["xyxy"], cuts[1:]), np.split(data["score"], cuts[1:])
    made, speed = {}, {}
    for name, make in PEERS.items():
        best = 0.0
        for _ in range(int(data["repeats"])):
            update, parts = make(float(data["fps"])), []
            started = time.perf_counter()
            for boxes, scores in zip(xyxy, score):
                parts.append(update(boxes, scores))
            best = max(best, len(xyxy) / (time.perf_counter() - started))
            made[name] = np.concatenate(parts)
        speed[name] = best
    versions = {name: version(name) for name in ("supervision", "trackers", "norfair")}
    np.savez(said.tracks, **made)
    print(json.dumps({"speed": speed, "versions": versions}))


if __name__ == "__main__":
    main()
