from pathlib import Path

import numpy as np
import pytest
import trimesh

from okulo.algo.mesh.shapes import sphere
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.io.meshes import WRITTEN, join_same_points, read_mesh, write_mesh

PLY = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
FACE = "element face 1\nproperty list uchar int vertex_indices\nend_header\n"


@pytest.mark.parametrize("suffix", WRITTEN)
def test_what_was_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    ball = sphere(2)
    write_mesh(tmp_path / f"ball{suffix}", ball)
    again, _ = join_same_points(read_mesh(tmp_path / f"ball{suffix}"))
    if suffix == ".stl":  # corners come back in the order of the faces
        np.testing.assert_allclose(again.vertices[again.faces], ball.vertices[ball.faces], atol=1e-6)
    else:
        np.testing.assert_array_equal(again.faces, ball.faces)
        np.testing.assert_allclose(again.vertices, ball.vertices, atol=1e-6)
    assert [each.name for each in tmp_path.iterdir()] == [f"ball{suffix}"]


def test_polygons_are_cut_and_objects_of_a_scene_placed(tmp_path: Path) -> None:
    (tmp_path / "square.off").write_text("OFF\n4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")
    assert read_mesh(tmp_path / "square.off").faces.shape == (2, 3)
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box())
    scene.add_geometry(
        trimesh.creation.box(), transform=trimesh.transformations.translation_matrix([5, 0, 0])
    )
    scene.export(str(tmp_path / "two.glb"))
    both = read_mesh(tmp_path / "two.glb")
    assert len(both.faces) == 24
    assert both.vertices[:, 0].max() == pytest.approx(5.5)


BAD = {
    "empty.ply": (b"", "is no PLY mesh"),
    "cut.off": (b"OFF\n3 1 0\n0 0 0\n1 0 0\n", "is no OFF mesh"),
    "words.obj": (b"hello\n", "holds no mesh"),
    "words.stl": (b"hello", "holds no mesh"),
    "words.glb": (b"glTF1234", "is no GLB mesh"),
    "json.gltf": (b"{}", "holds no mesh"),
    "beyond.off": (b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", "is no OFF mesh"),
    "points.ply": (f"{PLY}end_header\n0 0 0\n1 0 0\n0 1 0\n".encode(), "holds 3 points but no faces"),
    "nan.ply": (f"{PLY}{FACE}0 0 nan\n1 0 0\n0 1 0\n3 0 1 2\n".encode(), "1 vertices are not finite"),
    "points.xyz": (b"0 0 0\n", "a name that ends in"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_mesh_is_refused_by_name(name: str, tmp_path: Path) -> None:
    content, wanted = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=wanted) as caught:
        read_mesh(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_missing_files_and_endings_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_mesh(tmp_path / "missing.ply")
    with pytest.raises(BadInput, match="ends in"):
        write_mesh(tmp_path / "mesh.txt", sphere(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".ply", ".stl", ".glb"])
def test_half_a_file_is_refused_whatever_its_format(suffix: str, tmp_path: Path) -> None:
    write_mesh(tmp_path / f"whole{suffix}", sphere(2))
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"half{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput):
        read_mesh(tmp_path / f"half{suffix}")


def test_points_at_one_place_become_one_and_keep_their_order() -> None:
    mesh = Mesh(
        np.array([[1.0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, -0.0], [0, 1, 0.0]]),
        np.int32([[0, 1, 3], [2, 4, 1]]),
    )
    joined, which = join_same_points(mesh)
    assert joined.vertices.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert which.tolist() == [0, 1, 0, 2, 2]
    assert joined.faces.tolist() == [[0, 1, 2], [0, 2, 1]]
