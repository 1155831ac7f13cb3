"""Shapes and types in signatures are checked in every test, and free in production."""

from pathlib import Path

from hypothesis import settings
from jaxtyping import install_import_hook

SOURCE = Path(__file__).parents[1] / "src"


def typed_modules() -> list[str]:
    """Every module but the packages themselves, and these two.

    Numba kernels compile the bare function; nouns check themselves, and their own message is what is tested.
    """
    files = [
        p
        for p in (SOURCE / "okulo").rglob("*.py")
        if p.name != "__init__.py" and not p.stem.endswith(("kernels", "nouns"))
    ]
    return [".".join(p.relative_to(SOURCE).with_suffix("").parts) for p in files]


# An int is a float here, as PEP 484 says.
install_import_hook(typed_modules(), "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

# First calls compile checks and import libraries; on a busy machine any deadline is sometimes missed.
settings.register_profile("okulo", deadline=None)
settings.load_profile("okulo")
