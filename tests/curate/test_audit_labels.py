from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from okulo.core.errors import BadInput
from okulo.core.protocols import Progress
from okulo.core.table import Items
from okulo.curate.audit_labels import COLUMNS, AuditParams, run
from okulo.curate.verdicts import Decision, open_store
from okulo.io.images import encode_png
from okulo.io.tables import read_items, write_items

from .labelled import Planted, plant_digits


def audit(planted: Path, **options: object) -> tuple[pl.DataFrame, pl.DataFrame, object]:
    options = {"pictures": False, **options}
    report = run(AuditParams(items=planted, **options))  # type: ignore[arg-type]
    return pl.read_parquet(report.output), pl.read_parquet(report.findings_file), report


def rewrite(planted: Planted, **columns: pl.Series | pl.Expr) -> Path:
    items = read_items(planted.table)
    write_items(Items(items.frame.with_columns(**columns), items.root), planted.table)
    return planted.table


def test_the_queue_begins_with_planted_errors_and_names_the_right_class(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path)
    frame, findings, report = audit(planted.table)
    assert average_precision_score(planted.wrong, -frame["rank"].to_numpy()) > 0.95
    first = frame.with_columns(truth=pl.Series(planted.truth)).sort("rank").head(50)
    assert (first["suggested"] == first["truth"]).mean() > 0.9
    assert frame["severity"].is_between(0, 1).all()
    assert report.estimate.low <= planted.wrong.sum() <= report.estimate.high  # type: ignore[attr-defined]
    assert set(findings["kind"]) <= {"wrong-label", "outlier"}
    assert findings["item"][0] == frame.sort("rank")["path"][0]
    assert sum(report.splits.values()) == report.kinds["wrong-label"]  # type: ignore[attr-defined]


def test_contradictions_inside_a_group_come_first(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path)
    frame = read_items(planted.table).frame
    label, group = frame["label"].to_list(), [None] * len(frame)
    right = np.flatnonzero(~planted.wrong)[:3]
    group[right[0]] = group[right[1]] = group[right[2]] = 9
    label[right[0]] = label[right[1]] = planted.truth[right[0]]
    label[right[2]] = "digit 1" if planted.truth[right[0]] != "digit 1" else "digit 2"
    path = rewrite(planted, label=pl.Series(label), group=pl.Series(group, dtype=pl.Int64))
    frame, findings, _ = audit(path)
    assert frame.filter(pl.col("group") == 9)["rank"].sort().to_list() == [1, 2, 3]
    assert findings["kind"][:3].to_list() == ["contradiction"] * 3
    assert "its copies are labelled digit" in findings["reason"][0]
    odd = frame[int(right[2])]
    assert odd["severity"][0] >= 0.66


def test_what_cannot_be_judged_is_a_finding(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path)
    frame = read_items(planted.table).frame
    label = frame["label"].to_list()
    label[0], label[1], label[2], label[3] = None, "rare", "rare", "digit 11"
    vectors = frame["embedding"].to_list()
    vectors[4], vectors[5] = None, [float("nan")] * 64
    path = rewrite(
        planted, label=pl.Series(label), embedding=pl.Series(vectors, dtype=pl.Array(pl.Float32, 64))
    )
    names = ",".join([*(f"digit {i}" for i in range(10)), "rare"])
    frame, findings, report = audit(path, classes=names)
    assert frame["rank"].null_count() == 6 and report.judged == 794  # type: ignore[attr-defined]
    said = {(kind, item): reason for item, kind, _, reason in findings.rows()}
    assert said["small-class", "class rare"] == "2 items, fewer than the 5 folds"
    assert said["unknown-class", "0003.png"].startswith("'digit 11' is no known class; did you mean 'digit 1")
    assert {("no-embedding", "0004.png"), ("no-embedding", "0005.png")} <= set(said)
    assert frame["issue"][3:6].to_list() == ["unknown-class", "no-embedding", "no-embedding"]


def test_given_probabilities_are_taken_in_the_order_of_best(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path)
    names = np.array(["digit 3", "digit 0", *(f"digit {i}" for i in (1, 2, 9, 8, 7, 6, 5, 4))])
    place = {name: i for i, name in enumerate(names)}
    answer = np.full((800, 10), 0.02, np.float32)
    answer[np.arange(800), [place[name] for name in planted.truth]] = 0.82
    path = rewrite(
        planted,
        probabilities=pl.Series(answer, dtype=pl.Array(pl.Float32, 10)),
        best=pl.Series(names[answer.argmax(axis=1)]),
    )
    frame, _, report = audit(path, source="given")
    assert report.asked == "the table's probabilities"  # type: ignore[attr-defined]
    assert set(frame.filter(pl.col("issue") == "wrong-label")["rank"]) == set(range(1, 61))
    assert ((frame["issue"] == "wrong-label").fill_null(False).to_numpy() == planted.wrong).all()
    with pytest.raises(BadInput, match="expected 10, as many as probabilities, got 2"):
        audit(path, source="given", classes="digit 1,digit 2", replace=True)
    path = rewrite(planted, probabilities=pl.Series(answer * 2, dtype=pl.Array(pl.Float32, 10)))
    with pytest.raises(BadInput, match="expected rows that sum to 1"):
        audit(path, source="given", replace=True)


def test_deep_asks_whom_it_is_given(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path)

    def oracle(items: Items, fold: np.ndarray, classes: tuple[str, ...], progress: Progress) -> np.ndarray:
        assert np.bincount(fold).min() >= 159
        truth = [planted.truth[int(path[:4])] for path in items.frame["path"]]
        return np.array([[0.91 if name == right else 0.01 for name in classes] for right in truth])

    report = run(AuditParams(items=planted.table, deep=True, pictures=False), retrain=oracle)
    assert report.kinds["wrong-label"] == 60


def test_several_labels_an_item_and_unknown_is_not_no(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path)
    digit = np.array([int(name[-1]) for name in planted.truth])
    round_, even = np.isin(digit, [0, 6, 8, 9]), digit % 2 == 0
    labels = [[n for n, holds in (("round", a), ("even", b)) if holds] for a, b in zip(round_, even)]
    looked = [["round", "even"] if i % 2 else ["even"] for i in range(800)]
    for i in range(0, 800, 2):
        labels[i] = [name for name in labels[i] if name == "even"]  # nobody looked whether it is round
    flipped = list(range(1, 800, 40))
    for i in flipped:
        labels[i] = [n for n in labels[i] if n != "round"] if round_[i] else [*labels[i], "round"]
    path = rewrite(
        planted, labels=pl.Series(labels, dtype=pl.List(pl.String)), labelled_for=pl.Series(looked)
    )
    frame, findings, report = audit(path)
    assert report.estimate.items == 800 + 400  # type: ignore[attr-defined]
    about = findings.filter(pl.col("reason").str.starts_with("round"))
    unseen = {f"{i:04d}.png" for i in range(0, 800, 2)}
    assert not set(about["item"]) & unseen, "nobody looked there, so nothing can be wrong"
    truth = np.isin(np.arange(800), flipped)
    assert average_precision_score(truth, -frame["rank"].to_numpy()) > 0.9
    for i in flipped[:5]:
        row = frame.row(i, named=True)
        wanted = "missing-label" if round_[i] else "extra-label"
        assert row["issue"] in (wanted, None) and (row["issue"] is None or row["suggested"] == "round")


def test_verdicts_sharpen_the_estimate(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path)
    frame, _, before = audit(planted.table)
    order = frame.sort("rank").head(120)
    with open_store(tmp_path / "v.db") as store:
        for row in order.iter_rows(named=True):
            right = planted.truth[int(row["path"][:4])]
            answer = "keep" if right == row["label"] else "change"
            value = right if answer == "change" else ""
            about = {"item": row["id"], "path": row["path"], "given": row["label"]}
            store.record([Decision(question="label", answer=answer, value=value, **about)], who="ann")
    frame, _, after = audit(planted.table, replace=True, verdicts=str(tmp_path / "v.db"))
    assert after.calibrated == 120  # type: ignore[attr-defined]
    width = lambda e: e.high - e.low  # noqa: E731
    assert width(after.estimate) < width(before.estimate)  # type: ignore[attr-defined]
    assert after.estimate.low <= 60 <= after.estimate.high  # type: ignore[attr-defined]
    assert frame.filter(pl.col("path").is_in(order["path"]))["severity"].is_in([0.0, 1.0]).all()


def test_pictures_are_looked_at(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path, files=True)
    (tmp_path / "0001.png").write_bytes(encode_png(np.full((8, 8, 3), 90, np.uint8)))
    (tmp_path / "0002.png").write_bytes(b"no picture")
    (tmp_path / "0003.png").unlink()
    _, findings, _ = audit(planted.table, pictures=True)
    said = {item: kind for item, kind in findings.select("item", "kind").rows() if kind != "wrong-label"}
    assert said["0001.png"] == "blank"
    assert said["0002.png"] == said["0003.png"] == "unreadable"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"embedding": None}, "table: has no column embedding; `okulo embed` makes one"),
        ({"label": None}, "table: has no column label"),
        ({"label": pl.lit("one")}, "column label: expected two classes or more with 5 items each, got one"),
        ({"label": pl.lit(None, pl.String)}, "column label: expected one of any class, got no such label"),
        ({"embedding": pl.lit([1.0], pl.List(pl.Float32))}, "column embedding: is the same for every item"),
        (
            {"embedding": pl.lit([float("nan")], pl.List(pl.Float32))},
            "column embedding: expected finite vectors, got none in any row",
        ),
        ({"severity": pl.lit(0.5, pl.Float32)}, "table: already has severity; --replace writes them anew"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tmp_path: Path, columns: dict[str, pl.Expr | None], message: str
) -> None:
    planted = plant_digits(tmp_path, n=60)
    items = read_items(planted.table)
    frame = items.frame.drop([name for name, value in columns.items() if value is None])
    frame = frame.with_columns(**{name: value for name, value in columns.items() if value is not None})
    write_items(Items(frame, items.root), planted.table)
    before = planted.table.read_bytes()
    with pytest.raises(BadInput) as refused:
        audit(planted.table)
    assert str(refused.value).startswith(message)
    assert planted.table.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["items.parquet"]


def test_an_audit_is_repeatable_and_replaces_only_when_asked(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path, n=300)
    first, _, _ = audit(planted.table, output=tmp_path / "a.parquet")
    again, _, _ = audit(tmp_path / "a.parquet", replace=True)
    assert first.equals(again)
    with pytest.raises(BadInput, match=f"already has {', '.join(COLUMNS)}"):
        audit(tmp_path / "a.parquet")
