from pathlib import Path

import numpy as np
import polars as pl
import pytest

from okulo.curate.balance import MOST_BARS, class_balance, plot_balance
from okulo.io.images import read_image


def table(sizes: dict[str, int]) -> pl.DataFrame:
    labels = [name for name, size in sizes.items() for _ in range(size)]
    return pl.DataFrame(
        {"label": labels, "split": [("train", "val", None)[n % 3] for n in range(len(labels))]}
    )


def test_each_of_several_labels_counts() -> None:
    frame = pl.DataFrame({"labels": [["a", "b"], ["a"], [], None]}, schema={"labels": pl.List(pl.String)})
    assert class_balance(frame).counts.select("label", "items", "none").rows() == [("a", 2, 2), ("b", 1, 1)]


def test_effective_classes_of_equal_ones_are_their_number() -> None:
    assert class_balance(table({"a": 5, "b": 5, "c": 5})).effective == pytest.approx(3)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({}, "no labels"),
        ({"a": 3}, "one class only"),
        ({"a": 11, "b": 10}, "balanced"),
        ({"a": 2, "b": 1}, "slightly unbalanced: the largest class has 2.0 ×"),
        ({"a": 50, "b": 10}, "unbalanced"),
        ({"a": 200, "b": 10}, "very unbalanced: the largest class has 20.0 ×"),
    ],
)
def test_words(sizes: dict[str, int], words: str) -> None:
    frame = table(sizes) if sizes else pl.DataFrame({"id": ["a"]})
    assert class_balance(frame).words.startswith(words)


@pytest.mark.parametrize("classes", [0, 1, 43, MOST_BARS + 1])
def test_the_plot_is_a_picture_of_any_number_of_classes(tmp_path: Path, classes: int) -> None:
    names = {f"${number}_{{x" + "y" * number: number + 1 for number in range(classes)}
    plot_balance(class_balance(table(names)), tmp_path / "balance.png")
    image = read_image(tmp_path / "balance.png")
    assert image.shape[1] == 960
    assert 100 < image.shape[0] < 3000
    assert np.unique(image.reshape(-1, 3), axis=0).shape[0] > 10


def test_the_plot_can_be_svg(tmp_path: Path) -> None:
    plot_balance(class_balance(table({"a": 3, "b": 2})), tmp_path / "balance.svg")
    assert "<svg" in (tmp_path / "balance.svg").read_text()
