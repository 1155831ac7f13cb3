"""Values between processes: what goes in comes out, and a broken message is one clear error."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from okulo.core.errors import BadInput
from okulo.serve.wire import packed, unpack

ARRAYS = hnp.arrays(
    dtype=st.sampled_from([np.uint8, np.int64, np.float32, np.float64, np.bool_]),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    elements={"allow_nan": False},
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary(max_size=40),
    ARRAYS,
)
NAMES = st.text(max_size=5).filter(lambda name: not name.startswith("$"))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
        )
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return type(a) is type(b) and a == b


@given(VALUES)
def test_what_goes_in_comes_out(value: Any) -> None:
    assert same(value, unpack(bytes(packed(value))))


def test_arrays_of_any_layout_and_other_orders_of_bytes() -> None:
    for array in (
        np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(9)[::-2],
        np.arange(4, dtype=">i4"),
        np.float16([1, 2]),
    ):
        assert np.array_equal(unpack(packed(array)), array)


@given(st.binary(max_size=200))
def test_noise_is_bad_input(noise: bytes) -> None:
    with pytest.raises(BadInput):
        unpack(noise + b"x")  # never a whole message: its header would have to fit exactly


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_spoiled_message_is_bad_input_or_another_value(at: int, byte: int) -> None:
    message = packed({"a": np.float32([1, 2, 3]), "b": [1, "x", b"yz"]})
    message[at % len(message)] = byte
    try:
        unpack(message)
    except BadInput as error:
        assert str(error).startswith("message")


@pytest.mark.parametrize(
    "value", [object(), {"$array": 1}, {1: 2}, np.array(["text"]), np.array([object()]), {1, 2}]
)
def test_what_cannot_travel_is_refused(value: Any) -> None:
    with pytest.raises(BadInput, match="message"):
        packed(value)


def test_depth_is_bounded() -> None:
    value: Any = 1
    for _ in range(100):
        value = [value]
    with pytest.raises(BadInput, match="nested"):
        packed(value)


def test_a_truncated_message_is_bad_input() -> None:
    message = packed({"a": np.arange(1000)})
    for size in (0, 7, 8, 20, len(message) - 64):
        with pytest.raises(BadInput, match="cannot be read"):
            unpack(message[:size])
