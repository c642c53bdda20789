"""Export the models that tests run on, with what TensorFlow itself answers.

    python -m tests.support.export_models FOLDER

writes FOLDER/<model>/<version>, and FOLDER/expected.json as `questions.py` has it. It runs in a
process of its own, since importing TensorFlow takes seconds and hundreds of megabytes.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support import export_examples, export_tf1, export_tf2
from tests.support.questions import Arrays, Question, write

v1 = tf.compat.v1


def answers(path: Path, asked: list[tuple[str, dict[str, Any]]]) -> list[Question]:
    """Ask a session over the SavedModel, as TensorFlow Serving would."""
    with v1.Graph().as_default(), v1.Session() as session:
        graph = v1.saved_model.load(session, ["serve"], str(path))
        return [_answer(session, name, graph.signature_def[name], values) for name, values in asked]


def _answer(session: Any, name: str, signature: Any, values: dict[str, Any]) -> Question:
    inputs = {
        alias: _array(signature.inputs[alias].dtype, value) for alias, value in values.items()
    }
    feed = {
        info.name: inputs[alias] if alias in inputs else tf.make_ndarray(signature.defaults[alias])
        for alias, info in signature.inputs.items()
    }
    found = session.run({alias: info.name for alias, info in signature.outputs.items()}, feed)
    outputs: Arrays = {
        alias: _array(signature.outputs[alias].dtype, value) for alias, value in found.items()
    }
    return Question(name, inputs, outputs)


def _array(dtype: int, value: Any) -> Any:
    """Return `value` in a declared dtype; text is UTF-8."""
    array = np.array(value, tf.dtypes.as_dtype(dtype).base_dtype.as_numpy_dtype)
    if array.dtype == object:
        encoded = [text.encode() if isinstance(text, str) else text for text in array.flat]
        array.flat[:] = encoded
    return array


def main(folder: Path) -> None:
    """Export every model to `folder`."""
    expected = {}
    for make in (*export_tf1.MODELS, *export_tf2.MODELS, *export_examples.MODELS):
        versions = [123, 124] if make.__name__ == "half" else [1]
        for version in versions:
            path = folder / make.__name__ / str(version)
            path.parent.mkdir(parents=True, exist_ok=True)
            expected[make.__name__] = answers(path, make(path))
    write(folder / "expected.json", expected)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
