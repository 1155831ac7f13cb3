import os
from pathlib import Path

from tests.io.pictures import fill

from okulo.io.walk import show_name, walk


def test_walk_finds_pictures_in_a_set_order_and_counts_the_rest(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.PNG", "a/1.jpg", "a/.hidden.png", "c d/ü\n.png")
    (tmp_path / "notes.txt").touch()
    walked = walk(tmp_path)
    assert walked.pictures == ("a/1.jpg", "b/2.PNG", "c d/ü\n.png")
    assert walked.others == ("notes.txt",)
    assert walked.hidden == 1
    assert not len(walked.findings)


def test_links_that_lead_out_are_findings_and_inner_ones_are_followed(tmp_path: Path) -> None:
    outside = fill(tmp_path / "outside", "secret.png")
    root = fill(tmp_path / "root", "a.png")
    (root / "inner.png").symlink_to(root / "a.png")
    (root / "out.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    (root / "gone.png").symlink_to(root / "nothing.png")
    (root / "sibling.png").symlink_to(tmp_path / "root-2.png")
    (tmp_path / "root-2.png").touch()
    (root / "loop").symlink_to(root)
    walked = walk(root)
    assert walked.pictures == ("a.png", "inner.png")
    assert walked.findings.frame.select("item", "kind").rows() == [
        ("folder", "link-out"),
        ("gone.png", "broken-link"),
        ("out.png", "link-out"),
        ("sibling.png", "link-out"),
    ]


def test_names_that_are_no_utf8_are_findings(tmp_path: Path) -> None:
    fill(tmp_path, "good.png")
    (Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png"))).touch()
    walked = walk(tmp_path)
    assert walked.pictures == ("good.png",)
    assert walked.findings.frame.select("item", "kind").rows() == [("caf\\xe9.png", "bad-name")]


def test_pipes_are_passed_over_and_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert walk(tmp_path).pictures == ()


def test_any_text_can_be_shown() -> None:
    assert show_name("\ud800x") == "\\ud800x"
