"""What callers may give as inputs, and the arrays that are sent for them."""

from typing import Any

import numpy as np
import pytest

from slipway.arrays import declared_arrays, typed_arrays
from slipway.errors import InvalidArgumentError
from slipway.signatures import Signature, TensorSpec


def declared(dtype: str) -> Signature:
    return Signature({"x": TensorSpec(dtype, None, "x:0")}, {}, "")


class HasArray:
    """What a tensor of another library looks like."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray([1, 2], np.int16)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.zeros(2, np.float64), "float64"),
        (np.float16(1), "float16"),
        ([np.float32(1), np.float32(2)], "float32"),
        (HasArray(), "int16"),
        ("text", "object"),
        ([["a", b"b"]], "object"),
        (("a", "b"), "object"),
    ],
)
def test_what_has_a_dtype_keeps_it(value: Any, dtype: str) -> None:
    for arrays in (typed_arrays({"x": value}), declared_arrays({"x": value}, declared("int8"))):
        assert arrays is not None
        assert arrays["x"].dtype == dtype
        assert arrays["x"].shape == np.asarray(value).shape


@pytest.mark.parametrize("value", [1, 1.0, True, [1, 2], [[1.5]], [], [[]], ()])
def test_numbers_of_python_need_a_signature(value: Any) -> None:
    assert typed_arrays({"a": np.zeros(1), "x": value}) is None


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([1.0, 2], "float32"),
        ([1, 2], "float16"),
        (1, "complex64"),
        ([1 + 2j], "complex128"),
        ([True, False], "bool"),
        ([1, 255], "uint8"),
        ([-1, 127], "int8"),
        ([0, 2**64 - 1], "uint64"),
        ([], "int64"),
        ([[]], "string"),
        ([1.5], "bfloat16"),
    ],
)
def test_they_get_the_dtype_that_is_declared(value: Any, dtype: str) -> None:
    array = declared_arrays({"x": value}, declared(dtype))["x"]
    assert array.dtype == ("object" if dtype == "string" else dtype)
    assert array.shape == np.asarray(value).shape
    assert array.tolist() == value


def test_without_a_declaration_they_get_that_of_numpy() -> None:
    for signature in (None, Signature({}, {}, "")):
        assert declared_arrays({"x": [1.0]}, signature)["x"].dtype == np.float64


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ([1.5], "int32", "float64 values are no int32"),
        ([300], "uint8", "300"),
        ([-1], "uint64", "-1"),
        ([2**64], "int64", "too large"),
        ([1j], "float32", "complex128 values are no float32"),
        ([1, 0], "bool", "int64 values are no bool"),
        ([None], "float32", "object values are no float32"),
        ([1, "2"], "float32", "values are no float32"),
        ([[1], [1, 2]], "float32", "inhomogeneous"),
    ],
)
def test_a_value_that_the_dtype_cannot_hold_is_refused_by_name(
    value: Any, dtype: str, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=f'input "x": .*{message}'):
        declared_arrays({"x": value}, declared(dtype))


def test_arrays_of_other_arrays_must_agree() -> None:
    with pytest.raises(InvalidArgumentError, match='input "x": '):
        typed_arrays({"x": [np.zeros(2), np.zeros(3)]})
