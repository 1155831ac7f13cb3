"""Names make a classifier that knows them, and knows what it does not know; new rows are watched."""

from pathlib import Path
from shutil import copytree

import numpy as np
import polars as pl
import psycopg
import pytest

from okulo.apps.series.classifier import Classifier
from okulo.apps.series.label import LabelParams, read_names
from okulo.apps.series.label import run as label
from okulo.apps.series.report import ReportParams
from okulo.apps.series.report import run as report
from okulo.apps.series.simulate import KINDS, Simulated, send, simulate
from okulo.apps.series.watch import WatchParams
from okulo.apps.series.watch import run as watch
from okulo.core.errors import BadInput
from okulo.io.files import read_json, write_json


@pytest.fixture(scope="module")
def named(done: Path, made: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the store whose groups bear the name of the family most of them are; one family has none."""
    root = tmp_path_factory.mktemp("named") / "recordings"
    copytree(done, root)
    group = pl.read_parquet(root / "groups.parquet")["group"].fill_null(-2).to_numpy()
    names = {}
    for number in range(1, int(group.max()) + 1):
        most = int(np.bincount(made.kind[group == number]).argmax())
        if KINDS[most] not in ("normal", "stuck"):
            names[str(number)] = KINDS[most]
    write_json(root.parent / "names.json", {"names": names})
    found = label(LabelParams(store=root, names=root.parent / "names.json"))
    assert found.accuracy > 0.98
    assert found.unnamed > 0
    assert set(found.names) == {"normal", *names.values()}
    return root


def test_labels_are_written_back(named: Path, made: Simulated) -> None:
    told = pl.read_parquet(named / "labels.parquet")
    truth = np.array(KINDS, object)[made.kind]
    known = told["name"].is_not_null().to_numpy()
    assert (told["name"].to_numpy()[known] == truth[known]).mean() > 0.98
    with pytest.raises(BadInput, match=r"names.json: exists already; --replace names anew"):
        label(LabelParams(store=named, names=named.parent / "names.json"))


def test_new_recordings_are_named_and_new_faults_are_not(named: Path, server: str) -> None:
    shares = {"noisy": 0.1, "low peak": 0.1, "drift": 0.1, "stuck": 0.1}
    new = simulate(1500, np.random.default_rng(99), faults=shares, first_id=1_000_001)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS newer")
    send(server, "newer", [new])
    query = "SELECT * FROM recordings UNION ALL SELECT * FROM newer"
    found = watch(WatchParams(store=named, source=server, query=query))
    assert found.series == 1500
    answers = pl.concat([pl.read_parquet(file) for file in (named / "watched").glob("*.parquet")]).sort("id")
    truth = np.array(KINDS, object)[new.kind]
    good = new.kind < KINDS.index("empty")
    name = answers["name"].to_numpy()
    stuck = truth == "stuck"
    assert (name[good & ~stuck] == truth[good & ~stuck]).mean() > 0.85
    said = good & ~stuck & (name != None)  # noqa: E711
    assert (name[said] == truth[said]).mean() > 0.99
    assert answers["name"].is_null().to_numpy()[stuck & good].mean() > 0.98  # it never saw one
    assert found.strange >= (stuck & good).sum() * 0.9
    assert found.answers["don't know"] >= found.strange
    assert sum(found.excluded.values()) == pytest.approx((~good).sum(), abs=4)
    assert len(found.examples["noisy"]) == 5
    again = watch(WatchParams(store=named, source=server, query=query, every=0.01, rounds=2))
    assert (again.series, again.rounds) == (0, 2)


def test_what_is_kept_is_numbers(named: Path) -> None:
    held = read_json(named / "classifier.json")
    made = Classifier.from_json(held)
    assert made.to_json() == held
    z = np.random.default_rng(0).normal(0, 3, (50, len(made.normal.names))).astype(np.float32)
    assert made.probabilities(z).sum(axis=1) == pytest.approx(1)
    with pytest.raises(BadInput, match="classifier: expected format 1, got 9; update okulo"):
        Classifier.from_json({**held, "format": 9})
    with pytest.raises(BadInput, match="classifier: cannot be read"):
        Classifier.from_json({"format": 1})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n.json", '{"99": "what"}', r"n.json: there is no group 99; groups are 1 to \d"),
        ("n.json", "{}", "names no group"),
        ("n.json", '{"one": "x"}', "expected names of groups"),
        ("n.json", "{", "is no JSON"),
        ("n.csv", "group,title\n1,x\n", "expected the columns group and name, got group, title"),
    ],
)
def test_names_that_cannot_be_used(done: Path, tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=message):
        label(LabelParams(store=done, names=tmp_path / name))
    assert not (done / "names.json").exists()


def test_names_from_csv(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("group,name\n1,stuck valve\n2,\n3,-\n")
    assert read_names(tmp_path / "n.csv") == {1: "stuck valve", 3: "-"}


def test_watching_needs_names(done: Path, server: str) -> None:
    with pytest.raises(BadInput, match=r"classifier.json: does not exist; `okulo series label"):
        watch(WatchParams(store=done, source=server, table="recordings"))


def test_the_page_holds_every_group_and_nothing_from_outside(named: Path, tmp_path: Path) -> None:
    told = report(ReportParams(store=named, out=tmp_path / "page.html", pdf=tmp_path / "page.pdf", members=3))
    text = told.html.read_text()
    groups = read_json(named / "groups.json")["report"]["groups"]
    assert told.groups == len(groups)
    for each in groups:
        assert f'id="group-{each["group"]}"' in text
        assert f"{each['size']:,} recordings" in text
    assert 'value="noisy"' in text  # the name that was given
    assert "http://" not in text
    assert "https://" not in text
    assert text.count('class="small"') == 3 * len(groups)
    assert told.pdf is not None
    assert told.pdf.read_bytes()[:5] == b"%PDF-"
    with pytest.raises(BadInput, match=r"out: expected a page, .html"):
        report(ReportParams(store=named, out=tmp_path / "page.doc"))
