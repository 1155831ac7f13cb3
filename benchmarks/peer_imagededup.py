"""imagededup's hashes on a folder, in an environment of their own: prints pairs and seconds as JSON.

python benchmarks/peer_imagededup.py FOLDER PHash|DHash     (pip install imagededup, Apache-2.0)
"""

import json
import sys
import time


def main() -> None:
    from imagededup import methods

    folder, name = sys.argv[1:]
    start = time.perf_counter()
    found = getattr(methods, name)(verbose=False).find_duplicates(image_dir=folder, max_distance_threshold=10)
    seconds = time.perf_counter() - start
    pairs = sorted({tuple(sorted((a, b))) for a, others in found.items() for b in others})
    json.dump({"pairs": pairs, "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
