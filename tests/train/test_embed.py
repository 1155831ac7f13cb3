"""The recipe "embed": batches, what is learnt, export, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.search.made import make_table

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.train.embed import run
from okulo.train.embed_data import batches, choose_labelled
from okulo.train.params import ClassifyParams


def params(items: Path, output: Path, **said: object) -> ClassifyParams:
    start = ClassifyParams(
        items=items, output=output, recipe="embed", backbone="test_efficientnet", input_size=32,
        train_last=-1, epochs=2, batch=12, length=16, val_share=0.34,
    )  # fmt: skip
    return replace(start, **said)  # type: ignore[arg-type]


def test_batches_hold_k_items_of_each_label_and_every_label_once() -> None:
    labels = np.eye(7, dtype=bool).repeat(3, axis=0)
    seen = []
    for rows in batches(labels, 12, 3, 0, 0):
        _, counts = np.unique(rows // 3, return_counts=True)
        assert set(counts.tolist()) == {3}
        seen += np.unique(rows // 3).tolist()
    assert len(seen) == len(set(seen)) >= 4
    again = [rows.tolist() for rows in batches(labels, 12, 3, 0, 0)]
    assert again == [rows.tolist() for rows in batches(labels, 12, 3, 0, 0)]
    assert again != [rows.tolist() for rows in batches(labels, 12, 3, 0, 1)]


def test_held_out_labels_are_held_out_whole_also_where_items_have_several() -> None:
    sets = [["a", "b"], ["b"], ["c"], ["c", "d"], ["a"], ["e"], ["e", "f"], ["f"], ["b"], ["d"], None, []]
    n = len(sets)
    frame = pl.DataFrame(
        {"id": [str(i) for i in range(n)], "path": [f"{i}.png" for i in range(n)], "labels": sets},
        schema_overrides={"labels": pl.List(pl.String)},
    )
    train, val, bad = choose_labelled(Items(frame, Path()), 0.34, 1)
    assert len(bad) == 2
    assert len(train.items) + len(val.items) == 10
    assert len(val.items) > 0
    assert train.labels.any(axis=1).all()
    assert train.labels.shape[1] == len(train.names)


def test_it_learns(tmp_path: Path) -> None:
    from okulo.io.images import read_image
    from okulo.nets.bundle import load_bundle
    from okulo.nets.predictor import TorchPredictor

    items = make_table(tmp_path, each=6)
    report = run(params(items, tmp_path / "run", metric_loss="arcface"))
    assert (report.train_labels, report.val_items, report.epochs) == (2, 5, 2)
    assert 0 <= report.easy_first <= 1
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("easy_share") == 2
    (said,) = TorchPredictor(load_bundle(tmp_path / "run")).predict([read_image(tmp_path / "p/red-0.png")])
    assert np.linalg.norm(said["embedding"]) == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
def test_it_exports_and_searches(tmp_path: Path) -> None:
    from okulo.cli.see import see
    from okulo.export.write import write
    from okulo.nets.bundle import load_bundle

    items = make_table(tmp_path, each=6)
    run(params(items, tmp_path / "run", metric_loss="contrastive"))
    parity = write(load_bundle(tmp_path / "run"), tmp_path / "m.okulo.onnx")
    assert parity.worst < 1e-4
    for crop in ("none", "attention"):
        seeing = see(str(tmp_path / "m.okulo.onnx"), crop)
        assert seeing.length == 16
        vectors = [each.vector for each in seeing.files([tmp_path / "p/red-0.png"], 1)]
        assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"resume": True}, "resume: is not there for --recipe embed"),
        ({"train_last": 0}, "a network of random weights must learn whole"),
        ({"backbone": "vgg-tiny"}, "expected a name of timm for --recipe embed"),
    ],
)
def test_bad_settings_are_said(said: dict[str, object], problem: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=problem):
        run(params(make_table(tmp_path, each=3), tmp_path / "run", **said))


def test_classes_losses_need_one_label_an_item(tmp_path: Path) -> None:
    items = make_table(tmp_path, each=4)
    frame = pl.read_parquet(items)
    frame.drop("label").with_columns(labels=pl.Series([["x", "y"]] * 6 + [["z"]] * 6)).write_parquet(items)
    with pytest.raises(BadInput, match="arcface needs one label an item"):
        run(params(items, tmp_path / "run", metric_loss="arcface", val_share=0.0))
    frame.drop("label").write_parquet(items)
    with pytest.raises(BadInput, match="a column label or labels"):
        run(params(items, tmp_path / "run"))
    frame.with_columns(label=pl.Series([str(i) for i in range(12)])).write_parquet(items)
    with pytest.raises(BadInput, match="two labels or more that two items or more have"):
        run(params(items, tmp_path / "run"))
