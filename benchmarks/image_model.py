"""Export a model that takes an image and answers a number, and the other way round.

    python benchmarks/image_model.py FOLDER

runs in a process of its own, since importing TensorFlow takes seconds and hundreds of megabytes.
"""

import sys
from pathlib import Path

import tensorflow as tf

IMAGES = tf.TensorSpec([None, None, None, 3], tf.float32, "image")
SIDES = tf.TensorSpec([None], tf.float32, "side")


class Images(tf.Module):
    """Computes next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        # The remainders of a prime, less a fraction: as many digits as a normalized image has.
        pixels = tf.cast(tf.range(320 * 320 * 3) * 31 % 251, tf.float32) - 120.24
        self.image = tf.Variable(tf.reshape(pixels, [320, 320, 3]))

    @tf.function(input_signature=[IMAGES])
    def take(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the last value of each image."""
        return {"last": image[:, -1, -1, -1]}

    @tf.function(input_signature=[SIDES])
    def give(self, side: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return an image that many pixels high and wide, one in all."""
        pixels = tf.cast(side[0], tf.int32)
        return {"image": self.image[None, :pixels, :pixels]}


def main(folder: Path) -> None:
    """Export the model."""
    module = Images()
    tf.saved_model.save(module, str(folder), {"take": module.take, "give": module.give})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
