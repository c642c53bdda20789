"""The SavedModel that is served: written from weights, and read back into them.

    python examples/saliency/saliency_export.py FOLDER

writes to FOLDER the model that comes with Slipway, anew from the weights in it.
"""

import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
from pictures import SIDE
from saliency_model import CONVOLUTIONS, Weights, convolve_with, scores

PUBLISHED = Path(__file__).parents[2] / "src" / "slipway" / "models" / "saliency" / "1"

v1 = tf.compat.v1


def write(path: Path, weights: Weights) -> None:
    """Write a SavedModel to the new folder `path`."""
    with v1.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="img_in")
        variables = Weights(
            {name: _variable(f"{name}/kernel", c.kernel_shape) for name, c in CONVOLUTIONS.items()},
            {name: _variable(f"{name}/bias", (c.filters,)) for name, c in CONVOLUTIONS.items()},
        )
        masks = tf.sigmoid(scores(images, convolve_with(variables)))
        # TensorFlow does not see through the enlargement of an open batch.
        masks = tf.ensure_shape(masks, [None, SIDE, SIDE, 1], name="img_out")
        for name in CONVOLUTIONS:
            _set(session, variables.kernels[name], weights.kernels[name])
            _set(session, variables.biases[name], weights.biases[name])
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            {
                "serving_default": v1.saved_model.predict_signature_def(
                    {"img_in": images}, {"img_out": masks}
                )
            },
        )
        builder.save()


def read(path: Path) -> Weights:
    """Read back what `write` was given."""
    state = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    return Weights(
        {name: state.get_tensor(f"{name}/kernel") for name in CONVOLUTIONS},
        {name: state.get_tensor(f"{name}/bias") for name in CONVOLUTIONS},
    )


def _variable(name: str, shape: tuple[int, ...]) -> Any:
    return v1.get_variable(name, shape, use_resource=True, initializer=tf.zeros_initializer())


def _set(session: Any, variable: Any, value: Any) -> None:
    # Fed rather than given as initial value, which would be written into the graph as well.
    session.run(variable.initializer, {variable.initial_value: value})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/saliency/saliency_export.py FOLDER")
    write(Path(sys.argv[1]), read(PUBLISHED))
    print(sys.argv[1])
