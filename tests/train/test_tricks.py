"""Every switch does something, and the ablation's table says what is so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from okulo.core.errors import BadInput
from okulo.train import ablate
from okulo.train.ablate import gain_text, markdown, run
from okulo.train.ablate_params import AblateParams
from okulo.train.classify import load_data, prepare
from okulo.train.data import Pictures
from okulo.train.devices import World
from okulo.train.loop import train_epoch
from okulo.train.params import ClassifyParams
from okulo.train.session import Data
from okulo.train.tricks import baseline, tricks

BASE: dict[str, Any] = {
    "output": Path("run"), "backbone": "resnet-tiny", "input_size": 12, "epochs": 1, "batch": 16,
    "precision": "fp32", "warmup_epochs": 0.0,
}  # fmt: skip

SWITCHES: list[dict[str, Any]] = [
    {"lr_scaling": True}, {"warmup_epochs": 0.5}, {"zero_gamma": False}, {"decay_norm_bias": True},
    {"precision": "bf16"}, {"cosine": False}, {"label_smoothing": 0.1}, {"mixup": 0.4},
    {"loss": "bce"}, {"loss": "focal"}, {"loss": "brier"}, {"l1": 1e-3}, {"weight_decay": 0.1},
    {"dropout": 0.5}, {"optimiser": "adamw"}, {"nesterov": False}, {"momentum": 0.5},
    {"balanced_sampling": True},
    {"flip": True}, {"shift": 0.2}, {"colour": 0.5}, {"erase": 1.0}, {"jpeg": 1.0}, {"policy": "trivial"},
    {"tweak_c": False}, {"tweak_d": False}, {"norm": "group"}, {"seed": 1}, {"lr": 0.01}, {"batch": 8},
]  # fmt: skip


@pytest.fixture(scope="module")
def data(items: Path) -> Data[Pictures]:
    return load_data(ClassifyParams(items=items, **BASE))


def weights_after(data: Data[Pictures], items: Path, **choices: Any) -> list[torch.Tensor]:
    fit = prepare(ClassifyParams(items=items, **{**BASE, **choices}), data, World(torch.device("cpu")))
    figures = train_epoch(fit.learner, fit.epoch(0), fit.loss_of)
    assert np.isfinite(figures["loss"])
    return [p.detach() for p in fit.learner.answering.parameters()]


@pytest.mark.parametrize("switch", [*SWITCHES, {"ema": 0.9}], ids=str)
def test_every_switch_changes_what_is_learned(
    switch: dict[str, Any], data: Data[Pictures], items: Path
) -> None:
    plain, changed = weights_after(data, items), weights_after(data, items, **switch)
    same = len(plain) == len(changed) and all(
        a.shape == b.shape and torch.equal(a, b) for a, b in zip(plain, changed)
    )
    assert not same


def test_class_weights_do_nothing_where_classes_are_balanced(data: Data[Pictures], items: Path) -> None:
    for a, b in zip(weights_after(data, items), weights_after(data, items, class_weights=True)):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_the_stack_ends_with_every_trick_of_the_paper() -> None:
    params = AblateParams(items=Path("i"), output=Path("o"), teacher=Path("t"), backbone="resnet-50")
    names = [trick.name for trick in tricks(params, "bf16")]
    assert names == [
        "4 × batch", "linear LR scaling", "warm-up", "zero γ", "no decay of norm and bias", "bf16",
        "ResNet-B", "ResNet-C", "ResNet-D", "cosine", "label smoothing", "distillation", "mixup",
    ]  # fmt: skip
    stacked = baseline(params)
    for trick in tricks(params, "bf16"):
        stacked |= trick.changes
    said = ClassifyParams(**stacked)
    assert said.lr is not None and said.lr * said.batch / 256 == pytest.approx(params.lr)


@pytest.mark.parametrize("mode", ["stack", "alone"])
def test_an_ablation_writes_its_table(mode: str, items: Path, tmp_path: Path) -> None:
    params = AblateParams(
        items=items, output=tmp_path / "a", mode=mode, seeds=2, epochs=1, batch=16, backbone="vgg-tiny"
    )
    report = run(params)
    assert [row.name for row in report.rows][:2] == ["baseline", "4 × batch"]
    assert report.rows[0].gain is None and len(report.rows[1].accuracies) == 2
    said = json.loads((tmp_path / "a/ablation.json").read_text())
    assert said["report"]["rows"][0]["accuracies"] == list(report.rows[0].accuracies)
    table = (tmp_path / "a/ablation.md").read_text()
    assert table == markdown(report)
    assert ("| + 4 × batch |" in table) == (mode == "stack")
    first, last = report.rows[0 if mode == "alone" else -2], report.rows[-1]
    gains = np.array(last.accuracies) - np.array(first.accuracies)
    assert last.gain == pytest.approx(gains.mean()) and gain_text(last).startswith(
        f"{100 * gains.mean():+.2f}"
    )


def test_an_ablation_that_was_stopped_trains_only_what_is_missing(
    items: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def params(seeds: int) -> AblateParams:
        return AblateParams(
            items=items, output=tmp_path, seeds=seeds, epochs=1, batch=16, backbone="vgg-tiny"
        )

    once = run(params(1))
    trained = []

    def count(said: ClassifyParams, *_: object) -> tuple[float, float]:
        trained.append(said.seed)
        return 0.5, 1.0

    monkeypatch.setattr(ablate, "_train_once", count)
    twice = run(params(2))
    assert trained == [1] * len(once.rows)
    assert [row.accuracies[0] for row in twice.rows] == [row.accuracies[0] for row in once.rows]


def test_an_ablation_refuses_what_it_cannot_measure(items: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="split test: expected at least one item"):
        run(AblateParams(items=items, output=tmp_path / "a", on="test"))
    with pytest.raises(BadInput, match="a multiple of 4"):
        AblateParams(items=items, output=tmp_path / "a", batch=6)
    assert not (tmp_path / "a").exists()
