"""What a model declares: its signatures, with the dtypes and shapes of their inputs and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_SIGNATURE = "serving_default"
"""The one that answers when none is named."""

# By number, with the names that TensorFlow's Python and NumPy use.
_DTYPE_NAMES = (
    "invalid", "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64",
    "int64", "bool", "qint8", "quint8", "qint32", "bfloat16", "qint16", "quint16", "uint16",
    "complex128", "float16", "resource", "variant", "uint32", "uint64", "float8_e5m2",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz", "int4", "uint4",
    "int2", "uint2", "float4_e2m1fn",
)  # fmt: skip


def dtype_name(number: int) -> str:
    """Return the name of a `tensorflow.DataType`; a reference, from 100 up, counts as its value."""
    number -= 100 if number > 100 else 0
    known = 0 <= number < len(_DTYPE_NAMES)
    return _DTYPE_NAMES[number] if known else f"dtype {number}"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A declared input or output."""

    dtype: str
    """NumPy's name where NumPy has the type: `float32`, `int64`, `bool`; `string` for bytes."""
    shape: tuple[int, ...] | None
    """Sizes, -1 where open; None when even the rank is open."""
    name: str
    """The tensor in the graph, such as `x:0`."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs and outputs that a model declares under one name, by alias."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method_name: str


Infos = Mapping[str, tuple[int, tuple[int, ...] | None, str]]
"""Inputs or outputs as the native library gives them: number of the dtype, shape, tensor name."""


def read_signatures(
    signatures: Mapping[str, tuple[str, Infos, Infos]],
) -> dict[str, Signature]:
    """Return the signatures that the native library describes, by name."""
    return {
        name: Signature(_specs(inputs), _specs(outputs), method_name)
        for name, (method_name, inputs, outputs) in signatures.items()
    }


def _specs(infos: Infos) -> dict[str, TensorSpec]:
    return {
        alias: TensorSpec(dtype_name(number), shape, name)
        for alias, (number, shape, name) in infos.items()
    }
