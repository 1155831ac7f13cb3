from pathlib import Path

import pytest

from okulo.core.table import COLUMNS, VECTORS
from okulo.curate.audit import KINDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", COLUMNS)
def test_the_page_of_the_table_names_every_column_with_its_type_and_meaning(name: str) -> None:
    column = COLUMNS[name]
    kind = "Array(Float32)" if name in VECTORS else "List of boxes" if name == "boxes" else str(column.dtype)
    assert f"| `{name}` | {kind} | {column.doc} |" in (DOCS / "table.md").read_text().splitlines()


def test_every_kind_of_finding_is_explained() -> None:
    assert all(words and words[0].islower() for words in KINDS.values())
