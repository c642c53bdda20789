"""Export the model that the soak serves, which answers with its own number.

    python benchmarks/soak_model.py FOLDER

runs in a process of its own, since importing TensorFlow takes seconds and hundreds of megabytes.
The number is the text of an asset that a table is filled from when the model is loaded: a copy with
another text is another version, and needs no TensorFlow to make.
"""

import sys
import tempfile
from pathlib import Path

import tensorflow as tf
from soak_versions import HALF, LONG, NUMBER, WEIGH

SIDE = 2048
"""Of the variable, 16 MiB of ones. A power of 2: dividing by it is exact."""

X = tf.TensorSpec([None], tf.float32, "x")
TURNS = tf.TensorSpec([], tf.int32, "turns")


class Soaked(tf.Module):
    """y = x / 2 + number, in three ways."""

    def __init__(self, text: Path, side: int = SIDE) -> None:
        super().__init__()
        self.ones = tf.Variable(tf.ones([side, side]))
        self.asset = tf.saved_model.Asset(str(text))
        lines = tf.lookup.TextFileInitializer(
            self.asset, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
            tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
        )  # fmt: skip
        self.table = tf.lookup.StaticHashTable(lines, "")

    @tf.function(input_signature=[X])
    def half(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Leave the variable alone."""
        return {"y": x / 2 + self.number()}

    @tf.function(input_signature=[X])
    def weigh(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Read the whole variable: the answer is wrong if any of it is."""
        ones = tf.reduce_min(self.ones) * tf.reduce_max(self.ones)
        return {"y": x / 2 + self.number() * ones}

    @tf.function(input_signature=[X, TURNS])
    def long(self, x: tf.Tensor, turns: tf.Tensor) -> dict[str, tf.Tensor]:
        """Multiply with the variable as often as asked."""
        row = tf.ones([1, self.ones.shape[0]])
        for _ in tf.range(turns):
            row = row @ self.ones / self.ones.shape[0]
        return {"y": x / 2 + self.number() * row[0, 0]}

    def number(self) -> tf.Tensor:
        """Return what the asset says."""
        return tf.strings.to_number(self.table.lookup(tf.constant(0, tf.int64)))


def export_numbered(folder: Path, side: int = SIDE) -> None:
    """Export the model with the number 0."""
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch) / NUMBER.name
        text.write_text("0")
        module = Soaked(text, side)
        signatures = {HALF: module.half, WEIGH: module.weigh, LONG: module.long}
        tf.saved_model.save(module, str(folder), signatures)


if __name__ == "__main__":
    export_numbered(Path(sys.argv[1]))
