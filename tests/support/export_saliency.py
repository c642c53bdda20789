"""Export the saliency network of a TensorFlow 1 meta graph, with what TensorFlow answers.

    python -m tests.support.export_saliency META_GRAPH PICTURE FOLDER

writes FOLDER/saliency/1, FOLDER/image.npy, which is the picture as the network wants it, and
FOLDER/mask.npy, the answer of the session that was exported. Weights are random, the same each
time, and of a size that lets the picture shine through.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1

# Of the pictures that such networks are trained on: red, green, blue.
MEANS = np.array([126.88, 120.24, 112.19], np.float32)
SIZE = (320, 320)


def read_image(picture: Path) -> Any:
    """Return a JPEG picture as a batch of one."""
    pixels = tf.io.decode_jpeg(picture.read_bytes(), channels=3)
    resized = tf.image.resize(pixels, SIZE, tf.image.ResizeMethod.NEAREST_NEIGHBOR)
    return resized.numpy()[None].astype(np.float32) - MEANS


def random_value(variable: Any, random: np.random.Generator) -> Any:
    """Return weights that pass on as much as comes in, no bias, and no change of scale."""
    shape = variable.shape.as_list()
    if len(shape) == 4:
        return random.standard_normal(shape, np.float32) * np.sqrt(2 / np.prod(shape[:3]))
    return np.full(shape, 1.0 if variable.op.name.endswith("gamma") else 0.0)


def main(meta_graph: Path, picture: Path, folder: Path) -> None:
    """Export the network to `folder`."""
    image = read_image(picture)
    with v1.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(meta_graph), clear_devices=True)
        (given,) = v1.get_collection("image_batch")
        (mask,) = v1.get_collection("mask")
        # Its optimiser has twice as many again, which no answer needs.
        variables = v1.trainable_variables()
        random = np.random.default_rng(1)
        for variable in variables:
            variable.load(random_value(variable, random), session)
        builder = v1.saved_model.Builder(str(folder / "saliency" / "1"))
        builder.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            {
                "serving_default": v1.saved_model.predict_signature_def(
                    {"image": given}, {"mask": mask}
                )
            },
            saver=v1.train.Saver(variables),
        )
        builder.save()
        np.save(folder / "image.npy", image)
        np.save(folder / "mask.npy", session.run(mask, {given: image}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
