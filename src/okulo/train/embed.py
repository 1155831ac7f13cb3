"""The recipe "embed": learn vectors in which pictures of one label are near and all others far.

What does not learn is computed once: with `--train-last 0` only pooling and neck learn, on the backbone's
stored maps, with 1 its last block too, with -1 everything. Norms of the backbone keep their statistics.
"""

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo, Preprocess
from okulo.core.nouns import Findings
from okulo.core.protocols import Progress, silent
from okulo.core.table import fingerprint
from okulo.io.files import write_json
from okulo.io.tables import read_items
from okulo.metrics.retrieval import average_precision, recall_at
from okulo.nets.build import BUILDERS, build
from okulo.nets.bundle import Bundle, save_bundle
from okulo.nets.embedding import ALL, EmbeddingNetwork
from okulo.nets.losses.metric import BY_CLASS, MetricLoss
from okulo.nets.mining import easy_share, mine, together
from okulo.nets.timm_backbone import fetch_pretrained, load_backbone
from okulo.train import runfolder
from okulo.train.augment import make_changes
from okulo.train.data import Pictures, Row, decode_rows
from okulo.train.devices import find_device
from okulo.train.embed_data import Labelled, batches, choose_labelled
from okulo.train.feed import pixels_of, plain_batches
from okulo.train.params import ClassifyParams
from okulo.train.plan import BATCH
from okulo.train.report import EmbedReport
from okulo.train.schedule import make_schedule
from okulo.train.settle import settle_preprocess

EPOCHS = 20
SLOWER = 0.1
"""The backbone learns at this share of the head's rate."""


class Source:
    """A split's pictures: their labels, and what the learning part of the network is given of each."""

    def __init__(self, said: Labelled, pictures: Pictures, preprocess: Preprocess) -> None:
        self.pictures, self.preprocess = pictures, preprocess
        self.labels = said.only(pictures.labels)  # decode_rows' "labels" are rows here
        self.maps: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    @torch.inference_mode()
    def keep_maps(self, network: EmbeddingNetwork, last: int, device: torch.device) -> None:
        """Compute once what does not learn, in half precision."""
        parts = [
            network.front(pixels, last).half().cpu()
            for pixels in plain_batches(self.pictures, self.preprocess, device, 64)
        ]
        self.maps = torch.cat(parts) if parts else None

    def take(self, rows: np.ndarray, device: torch.device, changes: Any = (), rng: Any = None) -> Tensor:
        """A batch for `EmbeddingNetwork.back`: stored maps, or pixels, changed if that is asked for."""
        if self.maps is not None:
            return self.maps[torch.from_numpy(rows)].float().to(device)
        images = torch.from_numpy(np.ascontiguousarray(self.pictures.pixels[rows])).to(device)
        planes = images.permute(0, 3, 1, 2)
        for change in changes:
            planes = change(planes, rng)
        return pixels_of(planes.permute(0, 2, 3, 1), self.preprocess)


def run(params: ClassifyParams, progress: Progress = silent) -> EmbedReport:
    """Train, and write the run folder."""
    if params.resume:
        raise BadInput("resume", "is not there for --recipe embed", hint="start a new run; they are short")
    runfolder.start_folder(params.output)
    device = find_device(params.device)
    items = read_items(params.items)
    train, val, bad = choose_labelled(items, params.val_share, params.seed)
    if params.metric_loss in BY_CLASS and not train.single:
        raise BadInput(
            "metric-loss", f"{params.metric_loss} needs one label an item", hint="triplet does not"
        )
    preprocess = settle_preprocess(params, train.items)
    sources = []
    for said in (train, val):
        pictures, worse = decode_rows(said.items, preprocess, None, progress)
        sources.append(Source(said, pictures, preprocess))
        bad += worse
    network, architecture = start(params)
    network.to(device)
    for source in sources:
        if params.train_last != ALL:
            source.keep_maps(network, params.train_last, device)
    data = fingerprint(items.frame)
    runfolder.write_config(params.output, params, architecture=architecture, preprocess=preprocess, data=data)
    learner = Learning(params, network, sources[0], device)
    started = time.perf_counter()
    history, best = [], -1.0
    for epoch in progress(range(learner.epochs), label="epochs", total=learner.epochs):
        row = {"epoch": epoch + 1.0, **learner.epoch(epoch), **measure(network, sources[1], params, device)}
        history.append(row)
        info = ModelInfo(
            task="embed", preprocess=preprocess, name=params.backbone, data=data,
            metrics={k: v for k, v in row.items() if k.startswith("val_")}, versions=runfolder.versions(),
            notes={"pooling": params.pooling, "loss": params.metric_loss},
        )  # fmt: skip
        bundle = Bundle(network, architecture, info)
        if row.get("val_map", float(epoch)) >= best:
            best = row.get("val_map", float(epoch))
            save_bundle(params.output, bundle, "best")
    save_bundle(params.output, bundle, "last")
    runfolder.write_metrics(params.output, history)
    return _report(params, sources, history, bad, time.perf_counter() - started)


def start(params: ClassifyParams) -> tuple[EmbeddingNetwork, dict[str, Any]]:
    """Build the network with its first weights: given, fetched, or drawn from the seed."""
    torch.manual_seed(params.seed)
    model = params.backbone.removeprefix("timm/")
    if model in BUILDERS or "-" in model:
        raise BadInput("backbone", wanted="a name of timm for --recipe embed", got=repr(params.backbone))
    architecture = {"name": "embedding", "model": model, "pooling": params.pooling, "length": params.length}
    network = build(architecture)
    assert isinstance(network, EmbeddingNetwork)
    if params.weights_file is not None:
        load_backbone(network.backbone, params.weights_file)
    elif params.pretrained:
        fetch_pretrained(network.backbone, model)
    elif params.train_last != ALL:
        raise BadInput(
            "train-last",
            "a network of random weights must learn whole",
            hint="--weights-file, --pretrained or --train-last -1",
        )
    return network.eval(), architecture


class Learning:
    """All that changes while an embedding is learnt."""

    def __init__(
        self, params: ClassifyParams, network: EmbeddingNetwork, source: Source, device: torch.device
    ) -> None:
        self.params, self.network, self.source, self.device = params, network, source, device
        classes = source.labels.shape[1]
        self.loss = MetricLoss(
            params.metric_loss, params.length, classes, params.margin, params.loss_margin, params.scale
        ).to(device)
        if params.metric_loss in BY_CLASS:
            vectors = torch.from_numpy(embed_all(network, source, params.train_last, device)).to(device)
            self.loss.start_centres(vectors, torch.from_numpy(source.labels.argmax(axis=1)).to(device))
        self.epochs = params.epochs or EPOCHS
        head: list[nn.Parameter] = [*network.pool.parameters(), *network.neck.parameters()]
        slow = network.learning(params.train_last)
        network.requires_grad_(False)
        for p in (*head, *slow):
            p.requires_grad_(True)
        lr = params.lr if params.lr is not None else 1e-3
        groups = [{"params": head, "lr": lr}, {"params": [*self.loss.parameters()], "lr": 10 * lr}]
        groups += [{"params": slow, "lr": SLOWER * lr}]
        self.optimiser = torch.optim.AdamW(
            [g for g in groups if g["params"]], weight_decay=params.weight_decay
        )
        steps = sum(
            1 for _ in batches(source.labels, params.batch or BATCH, params.per_label, params.seed, 0)
        )
        self.schedule = make_schedule(self.optimiser, max(1, steps * self.epochs), 0, cosine=params.cosine)
        self.changes = make_changes(
            flips=params.flip, shifts=params.shift or 0.0, colour=params.colour or 0.0,
            erase=params.erase or 0.0, jpegs=params.jpeg, policy=params.policy,
        )  # fmt: skip

    def epoch(self, epoch: int) -> dict[str, float]:
        """Go through all labels once; means of the loss, and of the share of triplets that teach nothing."""
        rng = torch.Generator().manual_seed(self.params.seed * 100_003 + epoch)
        losses, easy, mined = [], [], []
        for rows in batches(
            self.source.labels, (self.params.batch or BATCH), self.params.per_label, self.params.seed, epoch
        ):
            labels = torch.from_numpy(self.source.labels[rows]).to(self.device)
            given = self.source.take(rows, self.device, self.changes, rng)
            vectors = self.network.back(given, self.params.train_last)
            pairs = together(labels)
            triplets = mine(self.params.miner, vectors, pairs, self.params.margin, rng)
            loss = self.loss(vectors, labels.int().argmax(dim=1), pairs, triplets)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            losses.append(float(loss.detach()))
            easy.append(easy_share(vectors, pairs, self.params.margin))
            mined.append(float(len(triplets[0])))
        if not np.isfinite(losses).all():
            raise BadInput("loss", f"is no number any more in epoch {epoch + 1}", hint="try a smaller --lr")
        return {
            "train_loss": float(np.mean(losses)),
            "easy_share": float(np.nanmean(easy)),
            "triplets": float(np.mean(mined)),
        }


@torch.inference_mode()
def embed_all(network: EmbeddingNetwork, source: Source, last: int, device: torch.device) -> np.ndarray:
    """The vectors of a split."""
    network.eval()
    rows = np.arange(len(source))
    parts = [
        network.back(source.take(rows[i : i + 256], device), last).cpu() for i in range(0, len(rows), 256)
    ]
    return torch.cat(parts).numpy() if parts else np.zeros((0, 1), np.float32)


def measure(
    network: EmbeddingNetwork, source: Source, params: ClassifyParams, device: torch.device
) -> dict[str, float]:
    """mAP and recall@1 where every item of a split asks for all others."""
    if len(source) < 2:
        return {}
    vectors = embed_all(network, source, params.train_last, device)
    cosine = vectors @ vectors.T
    np.fill_diagonal(cosine, -np.inf)
    share = source.labels.astype(np.float32) @ source.labels.T.astype(np.float32) > 0
    np.fill_diagonal(share, False)
    order = np.argsort(-cosine, axis=1)[:, :-1]
    hits, relevant = np.take_along_axis(share, order, axis=1), share.sum(axis=1).astype(np.int64)
    if not relevant.any():
        return {}
    return {
        "val_map": float(np.nanmean(average_precision(hits, relevant))),
        "val_recall_1": float(np.nanmean(hits[relevant > 0, 0])),
        "val_recall_10": float(np.nanmean(recall_at(hits, relevant, 10))),
    }


def _report(
    params: ClassifyParams,
    sources: list[Source],
    history: list[dict[str, float]],
    bad: list[Row],
    seconds: float,
) -> EmbedReport:
    best = max(history, key=lambda row: (row.get("val_map", 0.0), row["epoch"]))
    report = EmbedReport(
        run=params.output,
        backbone=params.backbone,
        pooling=params.pooling,
        loss=params.metric_loss,
        miner=params.miner,
        train_last=params.train_last,
        length=params.length,
        train_items=len(sources[0]),
        train_labels=sources[0].labels.shape[1],
        val_items=len(sources[1]),
        epochs=len(history),
        best_epoch=int(best["epoch"]),
        val_map=best.get("val_map"),
        val_recall_1=best.get("val_recall_1"),
        easy_first=history[0]["easy_share"],
        easy_last=history[-1]["easy_share"],
        seconds=seconds,
        findings=Findings.of(bad),
    )
    write_json(params.output / runfolder.REPORT, {**asdict(params), "report": report})
    return report
