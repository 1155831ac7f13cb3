import numpy as np
import polars as pl
import pytest

from okulo.core.errors import BadInput
from okulo.curate.audit_columns import class_order, read_groups, read_vectors

USABLE = np.array([True, True, True])


def test_vectors_of_two_lengths_and_no_vectors_are_refused() -> None:
    frame = pl.DataFrame({"embedding": pl.Series([[1.0], [1.0, 2.0]], dtype=pl.List(pl.Float32))})
    with pytest.raises(BadInput, match=r"column embedding: expected vectors of one length, got \[1, 2\]"):
        read_vectors(frame)
    with pytest.raises(BadInput, match="column embedding: expected vectors"):
        read_vectors(pl.DataFrame({"embedding": [None, None]}))


def test_groups_become_small_numbers() -> None:
    groups = read_groups(pl.DataFrame({"group": [10**12, None, 7, 10**12]}))
    assert groups is not None and groups.tolist() == [1, -1, 0, 1]
    assert read_groups(pl.DataFrame({"group": [None, None]})) is None


def test_the_order_of_classes_is_read_or_asked_for() -> None:
    three = pl.Series([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], dtype=pl.Array(pl.Float32, 3))
    frame = pl.DataFrame({"probabilities": three, "best": ["c", "a", "b"], "label": ["a", "a", "b"]})
    assert class_order(frame, 3, (), USABLE) == ("c", "a", "b")
    assert class_order(frame.drop("best"), 3, ("x", "y", "z"), USABLE) == ("x", "y", "z")
    with pytest.raises(BadInput, match="probabilities: have 3 entries, the labels 2 classes; say --classes"):
        class_order(frame.drop("best"), 3, (), USABLE)
    sorted_ = frame.drop("best").with_columns(label=pl.Series(["z", "x", "y"]))
    assert class_order(sorted_, 3, (), USABLE) == ("x", "y", "z")
