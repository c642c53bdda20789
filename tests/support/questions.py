"""What models are asked, with TensorFlow's answers, in a file that keeps every bit of them.

JSON has no dtypes and NumPy's own files hold strings as pickles only, so that a tensor is an
object of dtype, shape and base64: of its bytes in memory, or of each of its strings.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Question:
    """Inputs for a signature, and what TensorFlow's own Session.run answers."""

    signature: str
    inputs: Arrays
    outputs: Arrays


def write(path: Path, questions: Mapping[str, Sequence[Question]]) -> None:
    """Write the questions of each model."""
    plain = {
        model: [
            [one.signature, _plain_arrays(one.inputs), _plain_arrays(one.outputs)] for one in asked
        ]
        for model, asked in questions.items()
    }
    path.write_text(json.dumps(plain))


def read(path: Path) -> dict[str, list[Question]]:
    """Read what `write` wrote."""
    return {
        model: [
            Question(signature, _arrays(inputs), _arrays(outputs))
            for signature, inputs, outputs in asked
        ]
        for model, asked in json.loads(path.read_text()).items()
    }


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the dtype of TensorFlow's name: strings are objects, bfloat16 is that of ml_dtypes."""
    special: dict[str, Any] = {"string": object, "bfloat16": ml_dtypes.bfloat16}
    dtype: np.dtype[Any] = np.dtype(special.get(name, name))
    return dtype


def _plain_arrays(arrays: Arrays) -> dict[str, Any]:
    return {alias: _plain(array) for alias, array in arrays.items()}


def _plain(array: NDArray[Any]) -> dict[str, Any]:
    is_text = array.dtype.kind == "O"
    parts = array.flatten().tolist() if is_text else [array.tobytes()]
    return {
        "dtype": "string" if is_text else array.dtype.name,
        "shape": array.shape,
        "base64": [base64.b64encode(part).decode() for part in parts],
    }


def _arrays(plain: dict[str, Any]) -> Arrays:
    return {alias: _array(tensor) for alias, tensor in plain.items()}


def _array(plain: dict[str, Any]) -> NDArray[Any]:
    dtype, shape = numpy_dtype(plain["dtype"]), plain["shape"]
    parts = [base64.b64decode(part) for part in plain["base64"]]
    if dtype.kind != "O":
        return np.frombuffer(parts[0], dtype).reshape(shape)
    array = np.empty(prod(shape), dtype)
    array[:] = parts
    return array.reshape(shape)
