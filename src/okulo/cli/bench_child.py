"""One contest of `okulo bench`, in a process of its own: a job as JSON in, one line of JSON out."""

import json
import sys
from pathlib import Path
from typing import Any

from okulo.core.errors import BadInput, need
from okulo.runtime.bench import Contest, say_contest
from okulo.runtime.measure import Contender, accuracy, stage_pictures, time_batch, time_stages
from okulo.runtime.profile import Layer, profile_file


def contest(job: dict[str, Any]) -> Contest:
    """Measure one model on one engine."""
    path = Path(job["model"])
    model, agreement, layers = _open(path, job)
    speeds = tuple(time_batch(model, batch, job["seconds"]) for batch in job["batches"])
    items = None if job["items"] is None else Path(job["items"])
    right, seen, split = (
        accuracy(model, items, job["limit"]) if items and model.info.classes else (None, 0, "")
    )
    pictures, on = stage_pictures(items)
    last = speeds[-1]
    return Contest(
        model=path.name if path.is_dir() else path.name.removesuffix(".onnx").removesuffix(".okulo"),
        engine=job["engine"],
        threads=job["threads"],
        speeds=speeds,
        stages=time_stages(model, pictures, on, last.p50_ms / last.batch),
        accuracy=right,
        accuracy_on=f"{seen:,} pictures, {split}" if seen else "",
        agreement=agreement,
        layers=layers,
    )


def _open(path: Path, job: dict[str, Any]) -> tuple[Contender, float | None, tuple[Layer, ...]]:
    largest = max(job["batches"])
    if path.is_dir():
        torch: Any = need("torch", extra="train", verb="a run folder")
        from okulo.nets.bundle import load_bundle
        from okulo.nets.profile import TorchContender

        torch.set_num_threads(job["threads"])
        network = TorchContender(load_bundle(path))
        times = network.operators(largest) if job["profile"] else []
        whole = sum(ms for _, ms in times) or 1.0
        return network, None, tuple(Layer(name, "operator", ms, ms / whole) for name, ms in times)
    from okulo.runtime.modelfile import load

    layers = profile_file(path, job["threads"], largest) if job["profile"] else ()
    file = load(path, job["engine"], job["threads"])
    return file, file.agreement, layers


def main() -> None:
    """Do the job and say what was measured."""
    try:
        print(say_contest(contest(json.loads(sys.argv[1]))))
    except BadInput as error:
        print(json.dumps({"refused": [error.what, str(error).removeprefix(f"{error.what}: ")]}))


if __name__ == "__main__":
    main()
