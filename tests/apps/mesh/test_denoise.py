import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from tests.outside import missing

from okulo.algo.mesh.measure import normal_errors_deg
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.shapes import blob, part, sphere
from okulo.algo.mesh.topology import topology, volume
from okulo.apps.mesh.auto import choose, cut_part
from okulo.apps.mesh.denoise import keep_volume, run
from okulo.apps.mesh.learned import denoise_learned, open_model
from okulo.apps.mesh.page import VIEWER, pack
from okulo.apps.mesh.params import DenoiseParams, SimulateParams
from okulo.apps.mesh.preview import render
from okulo.apps.mesh.simulate import run as simulate
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.core.report import to_json
from okulo.io.meshes import join_same_points, read_mesh, write_mesh

BUILT = Path(__file__).parents[3].joinpath("src", "okulo", *VIEWER).is_file()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A noisy machine part and its truth, as files."""
    noisy, clean = tmp_path / "noisy.ply", tmp_path / "clean.ply"
    simulate(SimulateParams(mesh="wedge", output=noisy, clean=clean, faces=3000))
    return noisy, clean


def test_a_file_is_denoised_and_measured(pair: tuple[Path, Path], tmp_path: Path) -> None:
    report = run(DenoiseParams(mesh=pair[0], output=tmp_path / "out.ply", method="guided", truth=pair[1]))
    assert report.before is not None and report.after is not None
    assert report.after.normals_deg < 0.25 * report.before.normals_deg
    assert report.noise_before == pytest.approx(0.2, rel=0.15)
    assert report.noise_after < 0.03
    assert report.numbers == {
        **{"sigma": 0.35, "iterations": 20, "reach": 1.0, "follow": 30},
        **{"passes": 1, "restore": 0},
    }
    assert abs(report.volume_change or 1) < 0.02
    done = read_mesh(tmp_path / "out.ply")
    np.testing.assert_array_equal(done.faces, read_mesh(pair[0]).faces)
    assert normal_errors_deg(done, read_mesh(pair[1])).mean() == pytest.approx(
        report.after.normals_deg, abs=0.01
    )
    json.dumps(to_json(report))


def test_auto_comes_near_the_best(pair: tuple[Path, Path], tmp_path: Path) -> None:
    auto = run(DenoiseParams(mesh=pair[0], output=tmp_path / "auto.ply", truth=pair[1]))
    assert auto.kind == "machine part"
    assert auto.method == "learned" and auto.tried[0][0] == "learned"
    assert auto.tried[0][1] < auto.tried[-1][1]
    assert auto.after is not None
    found = []
    for method in ("guided", "bilateral", "l0-cotangent"):
        report = run(DenoiseParams(mesh=pair[0], output=tmp_path / "m.ply", method=method, truth=pair[1]))
        assert report.after is not None
        found.append(report.after.normals_deg)
    assert auto.after.normals_deg < 1.15 * min(found)


def test_auto_is_gentle_with_a_surface_that_is_rough_itself() -> None:
    clean = blob(np.random.default_rng(10), 4, 0.6)
    noisy = add_noise(clean, "along-normal", 0.1, np.random.default_rng(3))
    near, model = topology(noisy), open_model(None)
    chosen = choose(noisy, near, np.random.default_rng(0), model)
    heavy = Recipe(method="bilateral", sigma=0.6, iterations=5, follow=15, passes=6)
    gentle = Recipe(method="bilateral", sigma=0.6, iterations=2, follow=15, passes=2, restore=5)
    mine, learned, little, much = (
        normal_errors_deg(each, clean).mean()
        for each in (
            chosen.apply(noisy, near),
            denoise_learned(noisy, near, model),
            *(apply(noisy, near, recipe) for recipe in (gentle, heavy)),
        )
    )
    assert mine <= 1.1 * min(learned, little)
    assert mine < 0.7 * much


def test_a_clean_mesh_is_left_alone(tmp_path: Path) -> None:
    write_mesh(tmp_path / "ball.ply", sphere(4))
    report = run(DenoiseParams(mesh=tmp_path / "ball.ply", output=tmp_path / "out.ply"))
    assert report.method == "none"
    assert report.moved_most == 0


def test_the_model_and_auto_turn_with_the_mesh() -> None:
    noisy = add_noise(part(np.random.default_rng(7), 0.1), "along-normal", 0.2, np.random.default_rng(1))
    axes, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    axes *= np.sign(np.linalg.det(axes))
    turned = Mesh((noisy.vertices @ axes.T + 3) * 20, noisy.faces)
    near, model = topology(noisy), open_model(None)
    chosen, again = (choose(each, near, np.random.default_rng(0), model) for each in (noisy, turned))
    assert chosen.name == again.name
    for first, second in (
        (denoise_learned(noisy, near, model), denoise_learned(turned, near, model)),
        (chosen.apply(noisy, near), again.apply(turned, near)),
    ):
        off = np.linalg.norm((first.vertices @ axes.T + 3) * 20 - second.vertices, axis=1) / 20
        assert np.quantile(off, 0.98) < 0.02 * 0.1  # L0, one of the filters it sees, tips on roundings


@pytest.mark.parametrize("method", ["auto", "learned"])
def test_a_cube_without_noise_stays_a_cube(method: str, tmp_path: Path) -> None:
    box = trimesh.creation.box((1, 1, 1))
    while box.edges_unique_length.max() > 0.125:
        box = box.subdivide()
    box.export(tmp_path / "box.off")
    run(DenoiseParams(mesh=tmp_path / "box.off", output=tmp_path / "out.off", method=method))
    before, after = (read_mesh(tmp_path / name) for name in ("box.off", "out.off"))
    off = np.abs(after.vertices - before.vertices)
    assert off.max() < (1e-12 if method == "auto" else 0.01)
    assert np.quantile(normal_errors_deg(after, before), 0.95) < 1.0


@pytest.mark.parametrize("suffix", [".stl", ".obj", ".glb"])
def test_other_formats_keep_their_own_corners(suffix: str, tmp_path: Path) -> None:
    noisy = add_noise(sphere(3), "along-normal", 0.2, np.random.default_rng(0))
    write_mesh(tmp_path / f"in{suffix}", noisy)
    given = read_mesh(tmp_path / f"in{suffix}")
    run(DenoiseParams(mesh=tmp_path / f"in{suffix}", output=tmp_path / f"out{suffix}", method="taubin"))
    done = read_mesh(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(done.faces, given.faces)
    assert len(join_same_points(done)[0].vertices) == len(sphere(3).vertices)  # no seam was torn


def test_volume_is_brought_back_piece_by_piece() -> None:
    small, large = sphere(2), blob(np.random.default_rng(0), 3)
    both = Mesh(
        np.concatenate([small.vertices * 0.1 + 9, large.vertices]),
        np.concatenate([small.faces, large.faces + len(small.vertices)]).astype(np.int32),
    )
    centre = both.vertices.mean(axis=0)
    shrunk = Mesh((both.vertices - centre) * 0.9 + centre, both.faces)
    back = keep_volume(shrunk, both, topology(both))
    pieces = [Mesh(m.vertices, both.faces[: len(small.faces)]) for m in (back, both)]
    assert volume(pieces[0]) == pytest.approx(volume(pieces[1]))
    assert volume(back) == pytest.approx(volume(both), rel=0.01)


def test_preview_shows_the_mesh(pair: tuple[Path, Path], tmp_path: Path) -> None:
    run(
        DenoiseParams(
            mesh=pair[0],
            output=tmp_path / "o.ply",
            method="bilateral",
            preview=tmp_path / "p.png",
            truth=pair[1],
        )
    )
    picture = cv2.imread(str(tmp_path / "p.png"))
    assert picture is not None and picture.shape[1] > 1500
    third = picture.shape[1] // 3
    for place in range(2):
        assert (picture[100:500, place * third + 100 : (place + 1) * third - 100] < 250).any(
            axis=2
        ).mean() > 0.2


def test_a_square_is_drawn_where_it_is() -> None:
    square = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), np.int32([[0, 1, 2], [0, 2, 3]]))
    red = np.tile([1.0, 0, 0], (2, 1))
    picture = render(square, np.eye(3), red, size_px=100)
    assert picture[50, 50, 0] > 0.5 and picture[50, 50, 1] == 0
    assert picture[1, 1].tolist() == [1, 1, 1]
    assert (picture[:, :, 1] < 0.5).mean() == pytest.approx(0.94**2, abs=0.02)


def test_the_page_holds_the_mesh_and_no_way_out(pair: tuple[Path, Path], tmp_path: Path) -> None:
    if not BUILT:
        missing("the mesh viewer", "make web")
    run(DenoiseParams(mesh=pair[0], output=tmp_path / "o.ply", method="taubin", page=tmp_path / "p.html"))
    page = (tmp_path / "p.html").read_text()
    assert "default-src 'none'" in page
    assert pack(read_mesh(pair[0]), read_mesh(pair[0]))["faces"] in page
    assert "noise 0." in page


def test_a_large_mesh_is_judged_by_a_part() -> None:
    noisy = add_noise(sphere(5), "along-normal", 0.2, np.random.default_rng(0))
    near = topology(noisy)
    piece = cut_part(noisy, near, 3000, np.random.default_rng(0))
    assert 3000 <= len(piece.faces) < 6000
    chosen = choose(piece, topology(piece), np.random.default_rng(0), open_model(None))
    assert chosen.name != "none"


BAD = {
    "same file": ({"output": "noisy.ply"}, "overwrite"),
    "ending": ({"output": "out.txt"}, "ends in"),
    "preview": ({"preview": "p.jpg"}, "ends in .png"),
    "page": ({"page": "p.txt"}, "html|make web"),
    "number": ({"method": "l0", "sigma": 1.0}, "no such number"),
    "auto's number": ({"sigma": 1.0}, "auto has no such number"),
    "model": ({"method": "l0", "model": "m.onnx"}, "is not used"),
    "no model": ({"method": "learned", "model": "m.onnx"}, "cannot be read"),
    "model is no model": ({"method": "learned", "model": "noisy.ply"}, "is no ONNX"),
    "truth": ({"truth": "other.ply"}, "the same"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_wishes_are_refused_before_anything_is_written(
    case: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    write_mesh(tmp_path / "other.ply", sphere(2))
    before = sorted(each.name for each in tmp_path.iterdir())
    wishes, wanted = BAD[case]
    given = {"mesh": pair[0], "output": tmp_path / "out.ply", **wishes}
    for name in ("output", "preview", "page", "model", "truth"):
        if name in given:
            given[name] = tmp_path / given[name]
    with pytest.raises(BadInput, match=wanted):
        run(DenoiseParams(**given))
    assert sorted(each.name for each in tmp_path.iterdir()) == before


@pytest.mark.parametrize("method", ["auto", "learned", "l0", "guided", "taubin"])
def test_a_mesh_of_faces_without_area_is_kept_and_reported(method: str, tmp_path: Path) -> None:
    flat = "OFF\n4 2 0\n0 0 0\n1 0 0\n2 0 0\n3 0 0\n3 0 1 2\n3 1 2 3\n"
    (tmp_path / "line.off").write_text(flat)
    report = run(DenoiseParams(mesh=tmp_path / "line.off", output=tmp_path / "out.off", method=method))
    assert report.defects.degenerate_faces == 2
    done = read_mesh(tmp_path / "out.off")
    assert np.isfinite(done.vertices).all() and len(done.faces) == 2


def test_simulate_is_repeatable_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    for name in ("a", "b"):
        report = simulate(SimulateParams(mesh="blob", output=tmp_path / f"{name}.ply", faces=1200, level=0.3))
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()
    assert report.estimated == pytest.approx(0.3, rel=0.2)
    with pytest.raises(BadInput, match="one of plate"):
        simulate(SimulateParams(mesh="potato", output=tmp_path / "c.ply"))
    with pytest.raises(BadInput, match="same file"):
        simulate(SimulateParams(mesh="blob", output=tmp_path / "c.ply", clean=tmp_path / "c.ply"))
    assert not (tmp_path / "c.ply").exists()
