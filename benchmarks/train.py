"""Pictures a second in training: okulo's loop, a plain PyTorch loop, and timm's way, on equal terms.

    python benchmarks/train.py     # a few minutes; rows of other networks stay in results/train.json

Same network, first weights, batch, pictures, optimiser, precision and threads; no augmentation. The ways take
turns, the medians of the rounds are compared, in seconds of the clock and of the processor.

- plain: `DataLoader` over tensors decoded and normalised before, `cross_entropy`, `torch.optim.SGD`.
- tuned: the same with channels last and the fused optimiser, as okulo has it.
- timm: its folder data set and loader (two processes decode again in every epoch), `create_optimizer_v2`.
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import timm.data
import timm.optim
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from machine import read_results, write_results
from okulo.curate.scan import ScanParams
from okulo.curate.scan import run as scan
from okulo.io.samples import SampleParams
from okulo.io.samples import run as write_sample
from okulo.train.classify import load_data, prepare
from okulo.train.data import Pictures
from okulo.train.devices import World
from okulo.train.feed import plain_batches
from okulo.train.loop import train_epoch
from okulo.train.params import ClassifyParams
from okulo.train.session import Data

Epoch = Callable[[], float]
"""Go through the pictures once; returns the share of the time that the steps took (nan: not measured)."""
CPU = torch.device("cpu")


def loop(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    loader: Iterable[tuple[Tensor, Tensor]],
    *,
    bf16: bool,
) -> None:
    network.train()
    for pixels, labels in loader:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(pixels)["logits"]
        loss = functional.cross_entropy(logits.float(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def ours(params: ClassifyParams, data: Data[Pictures]) -> Epoch:
    fit = prepare(params, data, World(CPU))

    def epoch() -> float:
        said = train_epoch(fit.learner, fit.epoch(0), fit.loss_of)
        return said["step_s"] / (said["step_s"] + said["data_s"])

    return epoch


def plain(params: ClassifyParams, data: Data[Pictures], *, tuned: bool) -> Epoch:
    network = prepare(params, data, World(CPU)).learner.network
    if not tuned:
        network = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    pixels = torch.cat(list(plain_batches(data.train, data.preprocess, CPU, 256))).contiguous()
    if tuned:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    rows = TensorDataset(pixels, torch.from_numpy(data.train.labels))
    loader = DataLoader(rows, batch_size=params.batch, shuffle=True, drop_last=True)
    optimiser = torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=tuned
    )

    def epoch() -> float:
        loop(network, optimiser, loader, bf16=params.precision == "bf16")
        return float("nan")

    return epoch


def timms(params: ClassifyParams, data: Data[Pictures], folder: Path) -> Epoch:
    network = prepare(params, data, World(CPU)).learner.network
    network = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    side = data.preprocess.size[0]
    loader = timm.data.create_loader(
        timm.data.create_dataset("", root=str(folder), split="train"),
        input_size=(3, side, side),
        batch_size=params.batch,
        is_training=True,
        no_aug=True,
        use_prefetcher=False,
        num_workers=2,
        persistent_workers=True,
        device=CPU,
    )
    optimiser = timm.optim.create_optimizer_v2(network, opt="sgd", lr=0.01, momentum=0.9, weight_decay=5e-4)

    def epoch() -> float:
        loop(network, optimiser, loader, bf16=params.precision == "bf16")
        return float("nan")

    return epoch


def compare(
    params: ClassifyParams, data: Data[Pictures], folder: Path, rounds: int
) -> dict[str, dict[str, float]]:
    ways: dict[str, Epoch] = {
        "okulo": ours(params, data),
        "plain": plain(params, data, tuned=False),
        "tuned": plain(params, data, tuned=True),
        "timm": timms(params, data, folder),
    }
    clock: dict[str, list[float]] = {name: [] for name in ways}
    work: dict[str, list[float]] = {name: [] for name in ways}
    shares = []
    for turn in range(rounds + 1):  # the first warms up
        for name, epoch in ways.items():
            began, worked = time.perf_counter(), time.process_time()
            share = epoch()
            if turn:
                clock[name].append(time.perf_counter() - began)
                work[name].append(time.process_time() - worked)
                shares += [share] if name == "okulo" else []
    n = len(data.train) // params.batch * params.batch
    said = {}
    for name in ways:
        seconds, worked = statistics.median(clock[name]), statistics.median(work[name])
        said[name] = {"images_per_s": n / seconds, "images_per_cpu_s": n / worked}
    said["okulo"]["step_share"] = statistics.median(shares)
    for each in said.values():
        for unit in ("images_per_s", "images_per_cpu_s"):
            each[f"{unit}_of_plain"] = each[unit] / said["plain"][unit]
    return said


def pictures(folder: Path, count: int) -> tuple[Path, Path]:
    """The sample as a folder of `count` training pictures, and its table."""
    write_sample(SampleParams(name="fashion", folder=folder / "fashion"))
    train = folder / "fashion" / "train"
    for group in train.iterdir():
        for path in sorted(group.iterdir())[count // 10 :]:
            path.unlink()
    table = folder / "items.parquet"
    scan(ScanParams(source=folder / "fashion", output=table))
    return table, train


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=["vgg-tiny", "resnet-small"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=1920)
    parser.add_argument("--batch", type=int, default=64)
    asked = parser.parse_args()
    setting = {"batch": asked.batch, "rounds": asked.rounds, "pictures": asked.count}
    with tempfile.TemporaryDirectory() as name:
        table, train = pictures(Path(name), asked.count)
        for backbone in asked.networks:
            for precision in ("fp32", "bf16"):
                params = ClassifyParams(
                    items=table, output=Path(name) / "run", backbone=backbone, precision=precision,
                    batch=asked.batch, lr=0.01, epochs=1, shift=0.0, warmup_epochs=0.0, val_share=0.0,
                )  # fmt: skip
                said = compare(params, load_data(params), train, asked.rounds)
                show(f"{backbone} {precision}", said)
                row = {"setting": {**setting, "threads": torch.get_num_threads()}, **said}
                ways = read_results("train").get("ways", {})
                write_results("train", {"ways": {**ways, f"{backbone} {precision}": row}})


def show(title: str, said: dict[str, dict[str, float]]) -> None:
    print(f"\n{title}: okulo spends {said['okulo']['step_share']:.1%} of an epoch in the step")
    print("        pictures/s  × plain   pictures/cpu-s  × plain")
    for name, each in said.items():
        print(
            f"{name:8s}{each['images_per_s']:10,.0f}{each['images_per_s_of_plain']:9.2f}"
            f"{each['images_per_cpu_s']:17,.0f}{each['images_per_cpu_s_of_plain']:9.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
