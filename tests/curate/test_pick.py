from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.curate.pick import PickReport, run
from okulo.curate.pick_params import METHODS, PickParams
from okulo.curate.pick_scores import cover, fill_evenly, fill_in_proportion, nearest_labelled, uncertainty
from okulo.io.tables import read_items, write_items

from .labelled import plant_digits


def naive_cover(
    vectors: np.ndarray,
    weight: np.ndarray,
    labelled: np.ndarray,
    groups: np.ndarray,
    wanted: int,
    reach: float,
) -> list[int]:
    centres, chosen = list(labelled), []
    for _ in range(wanted):
        best, at = -1.0, -1
        for i in range(len(vectors)):
            taken = i in chosen or (groups[i] >= 0 and any(groups[i] == groups[j] for j in chosen))
            far = min(float(((vectors[i] - c) ** 2).sum()) ** 0.5 for c in centres)
            new = far if reach == 0 else 1 - np.exp(-((far / reach) ** 2) / 2)
            if not taken and weight[i] * new > best + 1e-9:
                best, at = weight[i] * new, i
        if at < 0:
            break
        chosen.append(at)
        centres.append(vectors[at])
    return chosen


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 30),
    wanted=st.integers(1, 12),
    reach=st.sampled_from([0.0, 0.7]),
)
@settings(max_examples=60, deadline=None)
def test_lazy_cover_is_the_greedy_one(seed: int, n: int, wanted: int, reach: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 3)).astype(np.float32)
    labelled = rng.normal(size=(2, 3)).astype(np.float32)
    weight, groups = rng.uniform(0.1, 1, n), rng.integers(-1, max(2, n // 2), n)
    rows, far = cover(vectors, weight, nearest_labelled(vectors, labelled), groups, wanted, reach=reach)
    assert rows.tolist() == naive_cover(vectors, weight, labelled, groups, wanted, reach)
    new = far if reach == 0 else 1 - np.exp(-((far / reach) ** 2) / 2)
    assert (np.diff(weight[rows] * new) <= 1e-5).all(), "each is at most as new as the one before"


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_uncertainties_agree_on_two_classes_and_stay_in_bounds(seed: int) -> None:
    p = np.random.default_rng(seed).dirichlet([0.5, 0.5], 50)
    order = [
        np.argsort(uncertainty(p, how), kind="stable").tolist()
        for how in ("least-confident", "margin", "entropy")
    ]
    assert order[0] == order[1]
    many = np.random.default_rng(seed).dirichlet(np.full(7, 0.3), 50)
    for how in ("least-confident", "margin", "entropy"):
        values = uncertainty(many, how)
        assert values.min() >= 0 and values.max() <= 1 + 1e-9
        assert uncertainty(np.full((1, 7), 1 / 7), how)[0] == pytest.approx(1)


@given(seed=st.integers(0, 10_000), wanted=st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_quotas_add_up_and_ask_for_nothing_that_is_not_there(seed: int, wanted: int) -> None:
    rng = np.random.default_rng(seed)
    have, offered = rng.integers(0, 20, 5), rng.integers(0, 12, 5)
    for take in (fill_evenly(have, offered, wanted), fill_in_proportion(have + 1.0, offered, wanted)):
        assert take.sum() == min(wanted, offered.sum())
        assert (take <= offered).all()


def table(folder: Path, *, labelled: int = 60, n: int = 400) -> Path:
    planted = plant_digits(folder, n=n, share=0.0)
    items = read_items(planted.table)
    label = [name if i < labelled else None for i, name in enumerate(planted.truth)]
    write_items(
        Items(items.frame.with_columns(label=pl.Series(label, dtype=pl.String)), folder), planted.table
    )
    return planted.table


def change(path: Path, **columns: object) -> Path:
    items = read_items(path)
    write_items(Items(items.frame.with_columns(**columns), items.root), path)
    return path


def picked(items: Path, number: int = 40, **options: object) -> tuple[pl.DataFrame, PickReport]:
    output = items.with_name("pick.parquet")
    report = run(PickParams(items=items, number=number, output=output, **options))  # type: ignore[arg-type]
    return pl.read_parquet(output), report


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("balance", [False, True])
def test_every_method_chooses_among_the_unlabelled_and_says_why(
    tmp_path: Path, method: str, balance: bool
) -> None:
    frame, report = picked(table(tmp_path), method=method, balance=balance)
    assert frame["rank"].to_list() == list(range(1, 41))
    assert frame["label"].null_count() == 40 and frame["id"].n_unique() == 40
    assert frame["reason"].str.len_chars().min() > 5
    assert (report.pool, report.chosen) == (340, 40)
    assert report.labelled == 48, "labels of the test split are left alone"


def test_balance_evens_out_what_is_labelled(tmp_path: Path) -> None:
    path = table(tmp_path, labelled=120)
    label = read_items(path).frame["label"].to_list()
    rare = [i for i, name in enumerate(label) if name == "digit 3"]
    for i in rare[3:]:
        label[i] = None
    change(path, label=pl.Series(label, dtype=pl.String))
    _, report = picked(path, method="k-center", balance=True)
    _, uneven = picked(path, method="k-center")
    assert report.classes["digit 3"] > uneven.classes.get("digit 3", 0)
    assert max(report.classes, key=lambda name: report.classes[name]) == "digit 3"


def test_error_rate_goes_where_the_model_errs(tmp_path: Path) -> None:
    path = table(tmp_path, labelled=0)
    n = 400
    first = np.arange(n) % 2
    label = [
        ("b" if i % 4 == 0 else "a") if i < 200 and first[i] == 0 else "b" if i < 200 else None
        for i in range(n)
    ]
    answer = np.where(first[:, None] == 0, [[0.7, 0.3]], [[0.3, 0.7]]).astype(np.float32)
    change(
        path, label=pl.Series(label, dtype=pl.String), best=pl.Series(np.array(["a", "b"])[first]),
        probabilities=pl.Series(answer, dtype=pl.Array(pl.Float32, 2)),
    )  # fmt: skip
    _, report = picked(path, method="error-rate", number=50)
    assert report.asked == "the table's probabilities"
    assert report.classes == {"a": 49, "b": 1}, "half of what is called a is wrong, none of b"


def test_given_probabilities_decide(tmp_path: Path) -> None:
    path = table(tmp_path, labelled=0)
    answer = np.full((400, 2), 0.5, np.float32)
    sure = np.linspace(0, 0.4, 400).astype(np.float32)
    answer += np.stack([sure, -sure], axis=1)
    change(path, best=pl.lit("a"), probabilities=pl.Series(answer, dtype=pl.Array(pl.Float32, 2)))
    with pytest.raises(BadInput, match="probabilities: have 2 entries, the labels 0 classes"):
        picked(path, method="margin")
    change(
        path, label=pl.when(pl.col("path") == "0399.png").then(pl.lit("b")).otherwise(pl.lit(None, pl.String))
    )
    frame, _ = picked(path, number=3, method="margin")
    assert frame["path"].to_list() == ["0000.png", "0001.png", "0002.png"]
    frame, _ = picked(path, number=3, method="margin", pool="path > '0100.png' and split = 'test'")
    assert frame["path"].to_list() == ["0105.png", "0110.png", "0115.png"]


def test_look_alikes_are_not_all_chosen(tmp_path: Path) -> None:
    """The most doubtful picture is there ten times over, unmarked: uncertainty alone takes them all."""
    path = table(tmp_path, labelled=300)
    frame, _ = picked(path, number=1, method="margin")
    doubtful = frame["embedding"][0]
    vectors = read_items(path).frame["embedding"].to_list()
    copies = list(range(380, 390))
    for i in copies:
        vectors[i] = doubtful
    change(path, embedding=pl.Series(vectors, dtype=pl.Array(pl.Float32, 64)))
    chosen = {method: picked(path, number=20, method=method)[0]["path"] for method in ("margin", "combined")}
    among = {name: sum(int(p[:4]) in copies for p in paths) for name, paths in chosen.items()}
    assert among["margin"] >= 8 and among["combined"] <= 1


def test_copies_are_chosen_once_and_not_when_labelled(tmp_path: Path) -> None:
    group = [0 if i in (0, 100, 101) else 1 if i in (200, 201, 202) else None for i in range(400)]
    path = change(table(tmp_path), group=pl.Series(group, dtype=pl.Int64))
    for method in METHODS:
        frame, report = picked(path, number=400, method=method)
        assert report.copies == 2 and report.chosen == 340 - 2 - 2
        assert frame.filter(pl.col("group") == 1).height == 1
        assert not set(frame["path"]) & {"0100.png", "0101.png"}


def test_a_new_class_is_looked_for_where_nobody_looked(tmp_path: Path) -> None:
    path = table(tmp_path)
    looked = pl.Series([["cat", "plane"] if i < 30 else ["cat"] for i in range(400)])
    labels = pl.Series(
        [["plane"] if i < 30 and i % 3 == 0 else [] for i in range(400)], dtype=pl.List(pl.String)
    )
    change(path, labels=labels, labelled_for=looked)
    frame, report = picked(path, for_class="plane")
    assert report.pool == 370 and report.asked == "a probe fitted to 24 labels"
    assert not any("plane" in said for said in frame["labelled_for"].to_list())
    _, report = picked(path, for_class="ship")
    assert report.pool == 400 and report.asked.startswith("nobody yet")


def test_without_labels_variety_decides(tmp_path: Path) -> None:
    frame, report = picked(table(tmp_path, labelled=0), number=10)
    assert report.asked.startswith("nobody yet") and len(frame) == 10
    with pytest.raises(
        BadInput, match="uncertainty: expected probabilities, or labels of two classes, got 0 labels"
    ):
        picked(tmp_path / "items.parquet", method="entropy")


def test_rows_without_a_vector_are_passed_over(tmp_path: Path) -> None:
    path = table(tmp_path)
    vectors = read_items(path).frame["embedding"].to_list()
    vectors[70], vectors[71], vectors[2] = None, [float("nan")] * 64, None
    change(path, embedding=pl.Series(vectors, dtype=pl.Array(pl.Float32, 64)))
    _frame, report = picked(path, number=400)
    assert report.blind == 2 and report.chosen == 338


def test_one_class_only_says_nothing_of_doubt_and_no_vector_nothing_at_all(tmp_path: Path) -> None:
    path = table(tmp_path)
    change(path, label=pl.when(pl.col("label").is_not_null()).then(pl.lit("one")))
    for method in ("margin", "error-rate"):
        with pytest.raises(BadInput, match="uncertainty: expected probabilities, or labels of two classes"):
            picked(path, method=method)
    _, report = picked(path, number=5)
    assert report.asked.startswith("nobody yet")
    (tmp_path / "pick.parquet").unlink()
    change(path, embedding=pl.lit([float("nan")] * 64, pl.Array(pl.Float32, 64)))
    before = path.read_bytes()
    with pytest.raises(BadInput, match="embedding: expected finite vectors, got none"):
        picked(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["items.parquet"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": "split = = 'x'"}, "pool: \"split = = 'x'\" cannot be understood"),
        ({"pool": "nothing = 1"}, "pool: 'nothing = 1' cannot be understood"),
        ({"pool": "split"}, "pool: expected a condition, such as split = 'train', got 'split'"),
        ({"pool": "path = 'x'"}, "pool: expected at least one item to choose from, got none; no row fulfils"),
        ({"embedding": "vector"}, "table: has no column vector"),
        ({"source": "given"}, "table: has no column probabilities; `okulo predict` makes one"),
        ({"for_class": "cat"}, "table: has no column labelled_for"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tmp_path: Path, options: dict[str, str], message: str
) -> None:
    path = table(tmp_path)
    with pytest.raises(BadInput) as refused:
        picked(path, **options)  # type: ignore[arg-type]
    assert str(refused.value).startswith(message)
    with pytest.raises(BadInput, match="output: is the table that is read"):
        run(PickParams(items=path, output=path))
    assert [each.name for each in tmp_path.iterdir()] == ["items.parquet"]
