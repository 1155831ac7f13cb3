from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.curate.duplicates.pictures import photo
from tests.models import write_model
from tests.outside import needs

from okulo.cli.embed import embed_items
from okulo.core.errors import BadInput
from okulo.core.protocols import silent
from okulo.curate.descriptor import describe
from okulo.curate.embed import EmbedParams
from okulo.io.images import encode_png
from okulo.runtime.modelfile import load


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "embed.okulo.onnx", "embed")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(encode_png(photo(seed=number)))
    (tmp_path / "5.png").write_bytes(b"no picture")
    names = [f"{number}.png" for number in range(6)]
    pl.DataFrame({"id": names, "path": names}).write_parquet(tmp_path / "items.parquet")
    return tmp_path / "items.parquet"


def wanted(model: Path) -> np.ndarray:
    return np.stack([row["embedding"] for row in load(model).predict([photo(seed=n) for n in range(5)])])


def test_a_model_file_embeds_a_table(model: Path, table: Path) -> None:
    report = embed_items(EmbedParams(items=table, model=str(model), workers=2), silent)
    vectors = pl.read_parquet(table)["embedding"]
    assert np.allclose(vectors.head(5).to_numpy(), wanted(model), atol=1e-5)
    assert vectors[5] is None
    assert report.findings.frame["item"].to_list() == ["5.png"]


def test_what_cannot_be_used(table: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--root: needs --engine ray"):
        embed_items(EmbedParams(items=table, model="descriptor", root="s3://there"), silent)
    with pytest.raises(BadInput, match=r"gone\.onnx"):
        embed_items(EmbedParams(items=table, model=str(tmp_path / "gone.onnx")), silent)
    assert pl.read_parquet(table).columns == ["id", "path"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.parametrize("by", ["model", "descriptor"])
def test_ray_gives_the_same_from_any_storage(by: str, model: Path, table: Path) -> None:
    needs("ray")
    name = str(model) if by == "model" else "descriptor"
    params = EmbedParams(items=table, model=name, engine="ray", root=table.parent.as_uri(), workers=1)
    report = embed_items(params, silent)
    vectors = pl.read_parquet(table)["embedding"]
    truth = wanted(model) if by == "model" else np.stack([describe(photo(seed=n)) for n in range(5)])
    assert np.allclose(vectors.head(5).to_numpy(), truth, atol=1e-5)
    assert vectors[5] is None
    assert report.embedded == 5
