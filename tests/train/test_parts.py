"""The parts of a run, each for itself: schedule, decay, plan, hold-out, order, precision, loss scale."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.nets.build import build, describe
from okulo.nets.losses.ce import cross_entropy
from okulo.nets.losses.targets import smooth_targets
from okulo.train.data import choose_items, epoch_order, hold_out
from okulo.train.devices import World
from okulo.train.loop import Batch, Learner, train_epoch
from okulo.train.optim import make_optimiser, parameter_groups
from okulo.train.params import ClassifyParams
from okulo.train.plan import make_plan
from okulo.train.precision import Precision, choose_precision
from okulo.train.schedule import make_schedule

CPU = torch.device("cpu")


def params(**choices: Any) -> ClassifyParams:
    return ClassifyParams(items=Path("items.parquet"), output=Path("run"), **choices)


def table(labels: list[str | None], **columns: list[Any]) -> Items:
    n = len(labels)
    said = {"id": [str(i) for i in range(n)], "path": [f"{i}.png" for i in range(n)], "label": labels}
    return Items(pl.DataFrame({**said, **columns}), Path("/data"))


def rates(steps: int, warmup: int, *, cosine: bool) -> list[float]:
    sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = make_schedule(sgd, steps, warmup, cosine=cosine)
    said = []
    for _ in range(steps):
        said.append(float(sgd.param_groups[0]["lr"]))
        sgd.step()
        schedule.step()
    return said


def test_the_learning_rate_rises_in_a_line_and_falls_as_half_a_cosine() -> None:
    said = rates(110, 10, cosine=True)
    assert said[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert said[10:] == pytest.approx([0.5 * (1 + np.cos(np.pi * i / 100)) for i in range(100)], abs=1e-6)


def test_without_cosine_it_falls_by_ten_three_times() -> None:
    said = rates(120, 0, cosine=False)
    assert [said[0], said[30], said[60], said[90]] == pytest.approx([1, 0.1, 0.01, 0.001])
    assert len(set(np.round(said, 9))) == 4


def test_norms_and_biases_do_not_decay_unless_asked() -> None:
    network = build(describe("resnet-tiny", 3))
    decayed, spared = parameter_groups(network, 0.1, decay_all=False)
    assert all(p.ndim > 1 for p in decayed["params"]) and all(p.ndim == 1 for p in spared["params"])
    (everything,) = parameter_groups(network, 0.1, decay_all=True)
    assert len(everything["params"]) == len(list(network.parameters()))


def test_defaults_depend_on_the_budget() -> None:
    short, long = (make_plan(params(), n=1000, epochs=epochs) for epochs in (4, 100))
    assert (short.label_smoothing, short.shift, short.colour, short.erase) == (0, 0, 0, 0)
    assert (long.label_smoothing, long.colour > 0, long.erase > 0) == (0.1, True, True)
    said = make_plan(params(label_smoothing=0.2, shift=0.0), n=1000, epochs=100)
    assert (said.label_smoothing, said.shift) == (0.2, 0.0)


def test_the_linear_rule_and_devices() -> None:
    plan = make_plan(params(lr=0.1, batch=512, lr_scaling=True), n=5000, epochs=2, world=2)
    assert plan.lr == pytest.approx(0.2)
    assert make_plan(params(batch=513), n=5000, epochs=2, world=2).batch == 512
    assert make_plan(params(batch=64), n=10, epochs=2).batch == 10


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 9)), min_size=1), st.integers(0, 9)
)
def test_hold_out_keeps_groups_whole_and_leaves_every_class_something(
    rows: list[tuple[str, int | None]], seed: int
) -> None:
    items = table([label for label, _ in rows], group=[group for _, group in rows])
    items = Items(items.frame.with_columns(pl.col("group").cast(pl.Int64)), items.root)
    held = hold_out(items, 0.3, np.random.default_rng(seed))
    sides: dict[int, set[bool]] = {}
    for (_, group), side in zip(rows, held):
        if group is not None:
            sides.setdefault(group, set()).add(bool(side))
    assert all(len(side) == 1 for side in sides.values())
    assert not held.all()


def test_hold_out_is_stratified() -> None:
    items = table(["a"] * 100 + ["b"] * 20)
    held = hold_out(items, 0.1, np.random.default_rng(0))
    assert (held[:100].sum(), held[100:].sum()) == (10, 2)


def test_items_that_cannot_take_part_are_findings() -> None:
    split = ["train", "train", "train", "val", "val", "test"]
    chosen = choose_items(table(["a", "b", None, "a", "c", "a"], split=split), 0.1, 0)
    assert (len(chosen.train), len(chosen.val), chosen.classes) == (2, 1, ("a", "b"))
    assert [kind for _, kind, _, _ in chosen.findings] == ["unlabelled", "unknown class"]
    with pytest.raises(BadInput, match="column label: expected two classes or more in train, got a"):
        choose_items(table(["a", "a"]), 0.0, 0)


def test_balanced_sampling_draws_every_class_equally_often() -> None:
    labels = np.array([0] * 900 + [1] * 100, dtype=np.int64)
    drawn = labels[epoch_order(labels, 0, 0, balanced=True)]
    assert abs(drawn.mean() - 0.5) < 0.06
    assert sorted(epoch_order(labels, 0, 0)) == list(range(1000))
    assert epoch_order(labels, 0, 0).tolist() != epoch_order(labels, 0, 1).tolist()


def test_auto_precision_is_never_fp16_on_a_cpu_and_fp32_for_depthwise() -> None:
    plain, depthwise = (build(describe(name, 2)) for name in ("vgg-tiny", "mobilenet-tiny"))
    assert choose_precision("auto", CPU, plain).name in ("fp32", "bf16")
    assert choose_precision("auto", CPU, depthwise).name == "fp32"
    assert choose_precision("fp16", CPU, plain).name == "fp16"


def learner(network: nn.Module, precision: str = "fp32", lr: float = 0.1, **choices: float) -> Learner:
    said = params(weight_decay=0.0)
    optimiser = make_optimiser(network, said, lr)
    schedule = make_schedule(optimiser, 1000, 0, cosine=False)
    return Learner(network, optimiser, schedule, Precision(precision), World(CPU), **choices)


def loss_of(outputs: Any, batch: Batch) -> dict[str, torch.Tensor]:
    loss = cross_entropy(outputs["logits"].float(), batch["targets"]).mean()
    return {"loss": loss, "accuracy": (outputs["logits"].argmax(1) == batch["labels"]).float().mean()}


def batch_of(n: int, classes: int = 4) -> Batch:
    labels = torch.arange(n) % classes
    pixels = torch.randn(n, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    return {"pixels": pixels, "labels": labels, "targets": smooth_targets(labels, classes)}


@pytest.mark.parametrize("precision", ["fp32", "bf16", pytest.param("fp16", marks=pytest.mark.slow)])
def test_a_network_learns_eight_random_pictures_by_heart(precision: str) -> None:
    torch.manual_seed(0)
    learns = learner(build(describe("vgg-tiny", 4)), precision, lr=0.03)
    first = train_epoch(learns, [batch_of(8)], loss_of)
    for _ in range(25):
        last = train_epoch(learns, [batch_of(8)], loss_of)
    assert last["loss"] < 0.05 < first["loss"]
    assert last["accuracy"] == 1
    assert all(p.dtype == torch.float32 for p in learns.network.parameters()), "the master weights are fp32"


def test_the_first_loss_of_a_network_that_knows_nothing_is_log_k() -> None:
    network = build(describe("resnet-tiny", 4))
    nn.init.zeros_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    assert train_epoch(learner(network), [batch_of(8)], loss_of)["loss"] == pytest.approx(np.log(4))


def test_the_loss_scale_grows_out_of_underflow_and_shrinks_on_overflow() -> None:
    learns = learner(build(describe("vgg-tiny", 4)), "fp16")
    before = learns.scaler.get_scale()
    weights = [p.clone() for p in learns.network.parameters()]

    def bursts(outputs: Any, batch: Batch) -> dict[str, torch.Tensor]:
        return {"loss": outputs["logits"].float().sum() * float("inf")}

    learns.step(batch_of(8), bursts)
    assert learns.scaler.get_scale() < before
    assert all(torch.equal(p, q) for p, q in zip(weights, learns.network.parameters())), "the step is skipped"


def test_l1_pulls_weights_to_zero() -> None:
    sizes = []
    for l1 in (0.0, 0.01):
        torch.manual_seed(0)
        learns = learner(build(describe("vgg-tiny", 4)), lr=0.01, l1=l1)
        for _ in range(5):
            learns.step(batch_of(8), loss_of)
        sizes.append(sum(float(p.detach().abs().sum()) for p in learns.network.parameters() if p.ndim > 1))
    assert sizes[1] < sizes[0]


def test_a_learner_restored_goes_on_as_if_nothing_had_happened() -> None:
    torch.manual_seed(0)
    one = learner(build(describe("vgg-tiny", 4)), ema=0.9)
    one.step(batch_of(8), loss_of)
    kept = copy.deepcopy(one.state())
    other = learner(build(describe("vgg-tiny", 4)), ema=0.9)
    other.restore(kept)
    for each in (one, other):
        each.step(batch_of(8), loss_of)
    for a, b in zip(one.answering.state_dict().values(), other.answering.state_dict().values()):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
