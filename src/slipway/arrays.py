"""What callers give as inputs, as arrays of the dtypes that the model wants.

An array, or anything that can become one by itself, is sent with the dtype it has. Python's own
numbers have none that a model could rely on: NumPy makes float64 of `[1.0, 2.0]` where most models
want float32. Such inputs get the dtype that the signature declares.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from slipway.errors import InvalidArgumentError
from slipway.signatures import Signature

Arrays = dict[str, NDArray[Any]]


def typed_arrays(inputs: Mapping[str, Any]) -> Arrays | None:
    """Return the inputs as arrays; None when one of them needs a signature to say its dtype."""
    arrays: Arrays = {}
    for alias, value in inputs.items():
        array = value if isinstance(value, np.ndarray) else _typed_array(alias, value)
        if array is None:
            return None
        arrays[alias] = array
    return arrays


def declared_arrays(inputs: Mapping[str, Any], signature: Signature | None) -> Arrays:
    """Return the inputs as arrays, those without a dtype in the one that is declared.

    What the signature does not declare gets NumPy's dtype: the server will say what is wrong.
    Raises InvalidArgumentError, with the input's name, for a value that the dtype cannot hold.
    """
    arrays: Arrays = {}
    for alias, value in inputs.items():
        array = _typed_array(alias, value)
        if array is None:
            spec = signature.inputs.get(alias) if signature else None
            try:
                array = _declared_array(value, spec.dtype if spec else None)
            except (TypeError, ValueError, OverflowError) as error:
                raise InvalidArgumentError(f'input "{alias}": {error}') from error
        arrays[alias] = array
    return arrays


def _typed_array(alias: str, value: Any) -> NDArray[Any] | None:
    """Return the array of a value that has a dtype, or of text; None for any other."""
    leaf = value
    while isinstance(leaf, list | tuple) and leaf:
        leaf = leaf[0]
    if isinstance(leaf, str | bytes):
        return np.array(value, dtype=object)
    if isinstance(leaf, np.ndarray | np.generic) or hasattr(leaf, "__array__"):
        try:
            return np.asarray(value)
        except ValueError as error:
            raise InvalidArgumentError(f'input "{alias}": {error}') from error
    return None


def _declared_array(value: Any, dtype: str | None) -> NDArray[Any]:
    if dtype is None:
        return np.asarray(value)
    if dtype == "string":
        return np.array(value, dtype=object)
    wanted = np.dtype(_numpy_dtype(dtype))
    natural = np.asarray(value)
    # NumPy would cut fractions off and read numbers out of text.
    is_broader = _BREADTH.get(natural.dtype.kind, 9) > _BREADTH.get(wanted.kind, 0)
    if natural.size and is_broader and not (wanted.kind in "iu" and _holds_integers(value)):
        raise TypeError(f"{natural.dtype} values are no {dtype}")
    return np.asarray(value, dtype=wanted)


def _holds_integers(value: Any) -> bool:
    """Return whether a value is integers all through, even where NumPy makes floats of them."""
    return all(isinstance(item, int) for item in np.array(value, dtype=object).flat)


# Each kind of number holds those before it; bfloat16 is of kind V.
_BREADTH = {"b": 0, "i": 1, "u": 1, "f": 2, "V": 2, "c": 3}


def _numpy_dtype(name: str) -> DTypeLike:
    if name == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise TypeError("bfloat16 is a type of ml_dtypes: pip install ml_dtypes") from error
        bfloat16: DTypeLike = ml_dtypes.bfloat16
        return bfloat16
    return name.removeprefix("q").replace("quint", "uint")
