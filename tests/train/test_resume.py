"""A run that was killed, stopped or moved to two processes ends as an unbroken one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from okulo.core.errors import BadInput
from okulo.train.checkpoint import STATE
from okulo.train.classify import run
from okulo.train.params import ClassifyParams

T = TypeVar("T")
SMALL = {
    "backbone": "resnet-tiny", "input-size": "12", "batch": "16", "epochs": "12", "lr": "0.05",
    "dropout": "0.2", "shift": "0.1", "ema": "0.9", "mixup": "0.2", "precision": "fp32",
}  # fmt: skip


def command(items: Path, output: Path, **changed: str) -> list[str]:
    options = [word for name, value in {**SMALL, **changed}.items() for word in (f"--{name}", value)]
    main = ["-m", "okulo.cli.main", "train", str(items), "-o", str(output), "--quiet"]
    return [*main, *options]


def params(items: Path, output: Path, *, resume: bool = False, **changed: object) -> ClassifyParams:
    kinds = {"backbone": str, "precision": str, "batch": int, "epochs": int, "input_size": int}
    said = {name.replace("-", "_"): value for name, value in SMALL.items()}
    typed = {name: kinds.get(name, float)(value) for name, value in said.items()}
    return ClassifyParams(items=items, output=output, resume=resume, **{**typed, **changed})  # type: ignore[arg-type]


def learned(folder: Path) -> list[dict[str, float]]:
    """The metrics without what the clock says."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if not k.endswith("_s")} for line in lines]


@pytest.fixture(scope="module")
def unbroken(items: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    run(params(items, folder))
    return folder


def test_kill_9_in_mid_training_then_resume_is_the_unbroken_run(
    items: Path, tmp_path: Path, unbroken: Path
) -> None:
    folder = tmp_path / "run"
    child = subprocess.Popen([sys.executable, *command(items, folder)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (folder / "metrics.jsonl").exists() or len(learned(folder)) < 2:
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not (folder / "report.json").exists(), "it was killed too late to prove anything"
    report = run(params(items, folder, resume=True))
    assert learned(folder) == learned(unbroken)
    for name in ("best.safetensors", "last.safetensors"):
        assert (folder / name).read_bytes() == (unbroken / name).read_bytes()
    assert report.val_accuracy == json.loads((unbroken / "report.json").read_text())["val_accuracy"]


class Stop:
    """A progress that presses Ctrl-C in the middle of an epoch."""

    def __init__(self, label: str) -> None:
        self.label = label

    def __call__(self, steps: Iterable[T], /, *, label: str, total: int | None = None) -> Iterator[T]:
        for i, step in enumerate(steps):
            if label.startswith(self.label) and i == 1:
                raise KeyboardInterrupt
            yield step


def test_ctrl_c_says_how_to_go_on_and_going_on_is_the_unbroken_run(
    items: Path, tmp_path: Path, unbroken: Path
) -> None:
    folder = tmp_path / "run"
    says = rf"stopped; 1 of 12 epochs are kept, go on with: okulo train {items} -o {folder} --resume"
    with pytest.raises(KeyboardInterrupt, match=says):
        run(params(items, folder), Stop("epoch 2"))
    run(ClassifyParams(items=items, output=folder, resume=True))
    assert learned(folder) == learned(unbroken)


def test_stopped_before_the_first_epoch_ended_it_can_go_on(items: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt, match="0 of 2 epochs"):
        run(params(items, folder, epochs=2), Stop("epoch 1"))
    assert run(ClassifyParams(items=items, output=folder, resume=True)).epochs == 2


def test_resuming_a_finished_run_reports_it_again(items: Path, unbroken: Path) -> None:
    before = learned(unbroken)
    assert run(params(items, unbroken, resume=True)).epochs == 12
    assert learned(unbroken) == before


def test_resume_refuses_other_settings_and_other_data(items: Path, tmp_path: Path, unbroken: Path) -> None:
    with pytest.raises(BadInput, match=r"lr: expected 0.05 as the run began with, got 0.3"):
        run(params(items, unbroken, resume=True, lr=0.3))
    other = items.parent / "other.parquet"
    import polars as pl

    pl.read_parquet(items).head(60).write_parquet(other)
    with pytest.raises(BadInput, match="is not the table the run began with"):
        run(params(other, unbroken, resume=True))


def test_a_damaged_state_is_bad_input(items: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(params(items, folder, epochs=1))
    (folder / STATE).write_bytes((folder / STATE).read_bytes()[:1000])
    with pytest.raises(BadInput, match="cannot be read; start anew"):
        run(params(items, folder, epochs=1, resume=True))


def test_two_processes_have_the_loss_curve_of_one_with_the_whole_batch(items: Path, tmp_path: Path) -> None:
    """Group norm, which does not look at the batch; no augmentation or dropout, which each process draws."""
    same = {"norm": "group", "dropout": "0", "shift": "0", "mixup": "0", "epochs": "3"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    said = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    both = [  # as torchrun starts them, which would import torch a third time
        subprocess.Popen(
            [sys.executable, *command(items, tmp_path / "two", **same)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **said, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    run(params(items, tmp_path / "one", norm="group", dropout=0.0, shift=0.0, mixup=0.0, epochs=3))
    for process in both:
        errors = process.communicate(timeout=120)[1]
        assert process.returncode == 0, errors
    for one, two in zip(learned(tmp_path / "one"), learned(tmp_path / "two"), strict=True):
        assert two == pytest.approx(one, rel=1e-3, abs=1e-4)
    assert json.loads((tmp_path / "two/config.json").read_text())["processes"] == 2
