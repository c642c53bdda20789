"""Models as TensorFlow 2 exports them: modules with functions, saved as an object graph.

Each function writes a SavedModel and returns questions for it, as in `export_tf1.py`.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.support.export_tf1 import Questions

SERVING_DEFAULT = "serving_default"

# A default that is a tensor becomes one of the signature.
FACTOR = tf.constant(0.1)
SHIFT = tf.constant([5, 5, 5])


class Dense(tf.Module):
    """A layer with a variable, and a second signature on integers."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2))

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "features")])
    def score(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return scores and their best column."""
        scores = tf.nn.softmax(features @ self.weights)
        return {"scores": scores, "best": tf.argmax(scores, 1, tf.int32)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int64, "a"),
            tf.TensorSpec([None], tf.int32, "b"),
        ]
    )
    def add(self, a: tf.Tensor, b: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the sum of integers of two widths."""
        return {"sum": a + tf.cast(b, tf.int64)}


def dense(path: Path) -> Questions:
    """Save a `Dense`."""
    module = Dense()
    tf.saved_model.save(module, str(path), {SERVING_DEFAULT: module.score, "add": module.add})
    return [
        (SERVING_DEFAULT, {"features": [[1.0, 2.0, 3.0], [0.1, -0.2, 1e-3]]}),
        ("add", {"a": [2**60, -5], "b": [1, -2]}),
    ]


def network(path: Path) -> Questions:
    """A small convolutional network, made and exported by Keras."""
    initializer = keras.initializers.RandomNormal(seed=1)
    model = keras.Sequential(
        [
            keras.layers.Input([8, 8, 1], name="image"),
            keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=initializer),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax", kernel_initializer=initializer),
        ]
    )
    model.export(str(path), verbose=False)
    images = np.linspace(-1, 1, 2 * 64).reshape(2, 8, 8, 1)
    return [(SERVING_DEFAULT, {"image": images}), ("serve", {"image": images[:1]})]


class Loop(tf.Module):
    """Takes as long as it is asked to, so that a request can be caught under way."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "turns")])
    def turn(self, turns: tf.Tensor) -> dict[str, tf.Tensor]:
        """Multiply matrices `turns` times."""
        state = tf.random.stateless_uniform([64, 64], [1, 2])
        for _ in tf.range(turns):
            state = tf.linalg.normalize(state @ state)[0]
        return {"turns": turns + tf.cast(state[0, 0] * 0, tf.int32)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Do so for the number of turns in the first example."""
        feature = tf.io.FixedLenFeature([], tf.int64)
        turns = tf.io.parse_example(inputs, {"turns": feature})["turns"]
        done = self.turn(tf.cast(turns[0], tf.int32))["turns"]
        return {"outputs": tf.cast(turns, tf.float32) + tf.cast(done * 0, tf.float32)}


def loop(path: Path) -> Questions:
    """Save a `Loop`."""
    module = Loop()
    signatures = {SERVING_DEFAULT: module.turn, "regress": module.regress}
    tf.saved_model.save(module, str(path), signatures)
    return [(SERVING_DEFAULT, {"turns": 3})]


class Counter(tf.Module):
    """Counts how often it was asked to, so that a run leaves a trace."""

    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(0.0)

    @tf.function(input_signature=[])
    def get(self) -> dict[str, tf.Tensor]:
        """Return the count."""
        return {"output": self.count.read_value()}

    @tf.function(input_signature=[])
    def incr(self) -> dict[str, tf.Tensor]:
        """Count one more."""
        return {"output": self.count.assign_add(1)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, "delta")])
    def incr_by(self, delta: tf.Tensor) -> dict[str, tf.Tensor]:
        """Count `delta` more."""
        return {"output": self.count.assign_add(delta)}

    @tf.function(input_signature=[])
    def reset(self) -> dict[str, tf.Tensor]:
        """Begin at zero."""
        return {"output": self.count.assign(0)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Count the examples."""
        parsed = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32, 1.0)})
        self.count.assign_add(tf.reduce_sum(parsed["x"]))
        return {"outputs": parsed["x"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Count the examples."""
        return {"scores": self.regress(inputs)["outputs"][:, tf.newaxis]}

    @tf.function(input_signature=[])
    def fail(self) -> dict[str, tf.Tensor]:
        """Fail."""
        with tf.control_dependencies([tf.debugging.Assert(self.count < 0, ["Run failed"])]):
            return {"output": self.count.read_value()}


def counter(path: Path) -> Questions:
    """Save a `Counter`."""
    module = Counter()
    signatures = {
        "get_counter": module.get,
        "incr_counter": module.incr,
        "incr_counter_by": module.incr_by,
        "reset_counter": module.reset,
        "regress": module.regress,
        "classify": module.classify,
        "fail": module.fail,
    }
    tf.saved_model.save(module, str(path), signatures)
    # Its answer is the same however often it was asked before.
    return [("regress", {"inputs": [b"", b""]})]


# For each dtype values at its ends, and those that a detour over text or another type would lose.
EXTREMES: dict[tf.DType, list[Any]] = {
    tf.float32: [0.1, -0.0, np.inf, -np.inf, np.nan, 3.4028235e38, 1.1754944e-38, -1e-45],
    tf.float64: [0.1, -0.0, np.inf, -np.inf, np.nan, 1.7976931348623157e308, 5e-324, 1 / 3],
    tf.float16: [0.1, -0.0, np.inf, -np.inf, np.nan, 65504, -6e-8, 1 / 3],
    tf.bfloat16: [0.1, -0.0, np.inf, -np.inf, np.nan, 3.38e38, -1e-40, 1 / 3],
    tf.int8: [-128, 127, 0, -1],
    tf.int16: [-(2**15), 2**15 - 1, 0, -1],
    tf.int32: [-(2**31), 2**31 - 1, 0, -1],
    tf.int64: [-(2**63), 2**63 - 1, 2**53 + 1, -(2**53) - 1],
    tf.uint8: [0, 255, 128, 7],
    tf.uint16: [0, 2**16 - 1, 2**15, 7],
    tf.uint32: [0, 2**32 - 1, 2**31, 7],
    tf.uint64: [0, 2**64 - 1, 2**63, 2**53 + 1],
    tf.bool: [True, False, False, True],
    tf.string: ["很 喜欢", b"\0nul\0", b"\xff\xfe", '"\\\n\x7f'],
    tf.complex64: [1 + 2j, -0.5j, complex(np.inf, -0.0), complex(np.nan, 1e-45)],
    tf.complex128: [0.1 + 1e300j, -5e-324j, complex(-np.inf, 1), complex(-0.0, np.nan)],
}  # fmt: skip


def echo(path: Path) -> Questions:
    """A signature for each dtype, which returns its input `x` of any shape as `y`."""

    def signature(dtype: tf.DType) -> Any:
        spec = tf.TensorSpec(None, dtype, "x")
        return tf.function(lambda x: {"y": tf.identity(x)}, input_signature=[spec])

    module = tf.Module()
    module.echo = {dtype.name: signature(dtype) for dtype in EXTREMES}
    tf.saved_model.save(module, str(path), module.echo)
    asked: Questions = []
    for dtype, values in EXTREMES.items():
        shapes: list[Any] = [values, values[1], [[[[value] for value in values[:2]]]], [[], []]]
        asked += [(dtype.name, {"x": shaped}) for shaped in shapes]
    return asked


class Lookup(tf.Module):
    """Tables of three kinds: from an asset, from the checkpoint, and from constants."""

    def __init__(self, words: Path) -> None:
        super().__init__()
        self.asset = tf.saved_model.Asset(str(words))
        self.ids = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.asset, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            default_value=-1,
        )  # fmt: skip
        self.prices = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, -0.5)
        self.prices.insert(tf.constant([0, 2], tf.int64), tf.constant([0.1, 1e9]))
        self.names = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant([0, 1], tf.int64), tf.constant(["good", b"\xffbad"])
            ),
            default_value="?",
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])
    def look_up(self, words: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return ids of words, and what is known by these ids."""
        ids = self.ids.lookup(words)
        names = self.names.lookup(ids)
        return {"ids": ids, "prices": self.prices.lookup(ids), "names_bytes": names}


def lookup(path: Path) -> Questions:
    """Save a `Lookup`."""
    words = path.parent / "words.txt"
    words.write_text("好\nbad\nso so\n")
    module = Lookup(words)
    tf.saved_model.save(module, str(path), {SERVING_DEFAULT: module.look_up})
    return [
        (SERVING_DEFAULT, {"words": ["bad", "so so", "nobody knows", "好", ""]}),
        (SERVING_DEFAULT, {"words": []}),
    ]


class Signatures(tf.Module):
    """Signatures that differ in what they want: defaults, nothing at all, much in return."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, "x"),
            tf.TensorSpec([], tf.float32, "factor"),
            tf.TensorSpec([3], tf.int32, "shift"),
        ]
    )
    def scale(self, x: tf.Tensor, factor: Any = FACTOR, shift: Any = SHIFT) -> dict[str, tf.Tensor]:
        """Return `x * factor`, and `shift` as it came."""
        return {"scaled": x * factor, "shift": tf.identity(shift)}

    @tf.function(input_signature=[])
    def constants(self) -> dict[str, tf.Tensor]:
        """Return what no input has a part in."""
        return {"pi": tf.constant(np.pi, tf.float64), "name": tf.constant([b"\0\xff"])}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, "minuend"),
            tf.TensorSpec([None], tf.int32, "a"),
        ]
    )
    def subtract(self, minuend: tf.Tensor, a: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return a difference, which shows which input is which."""
        return {"difference": minuend - a}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def turn(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return numbers as far from zero in another direction."""
        return {"turned": tf.complex(tf.zeros_like(x), x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def widen(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return a hundred thousand numbers for each one."""
        return {"wide": x[:, None] * tf.range(100_000, dtype=tf.float32)}


def signatures(path: Path) -> Questions:
    """Save a `Signatures`."""
    module = Signatures()
    tf.saved_model.save(
        module,
        str(path),
        {
            "scale": module.scale,
            "constants": module.constants,
            "subtract": module.subtract,
            "turn": module.turn,
            "widen": module.widen,
        },
    )
    x = [1.0, 0.1, 3e7]
    return [
        ("scale", {"x": x, "factor": 3, "shift": [1, 2, -3]}),
        ("scale", {"x": x, "shift": [1, 2, -3]}),
        ("scale", {"x": x}),
        ("constants", {}),
        ("subtract", {"minuend": [7, 0], "a": [1, 2]}),
        ("turn", {"x": x}),
        ("widen", {"x": [0.1, -1e-3, 1e20]}),
    ]


class Strings(tf.Module):
    """Strings of any bytes and lengths, by names that end in `_bytes` and by others."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "text"),
            tf.TensorSpec([None], tf.string, "end_bytes"),
        ]
    )
    def join(self, text: tf.Tensor, end_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the joined strings in two forms, and numbers made of them."""
        joined = tf.strings.join([text, end_bytes])
        return {
            "joined": joined,
            "joined_bytes": tf.identity(joined),
            "pairs_bytes": tf.stack([end_bytes, text], axis=1),
            "length": tf.strings.length(joined),
            "hash": tf.strings.to_hash_bucket_fast(joined, 2**62),
            "is_same": text == end_bytes,
        }


def strings(path: Path) -> Questions:
    """Save a `Strings`."""
    module = Strings()
    tf.saved_model.save(module, str(path), {SERVING_DEFAULT: module.join})
    # Up to 22 bytes are kept in place by TensorFlow's strings.
    lengths = [b"\xe5" * 22, b"b" * 23, b"\0" * 24, bytes(range(256)) * 400]
    odd = ["", b"\0", b"a\0", b"\xff\xfe\xfd", "好", "\u2028\U0001f600", b"\xed\xa0\x80", '\\"/\b']
    return [
        (SERVING_DEFAULT, {"text": odd, "end_bytes": odd[::-1]}),
        (SERVING_DEFAULT, {"text": lengths, "end_bytes": [b"", b"\xff", b"\n", "é".encode()]}),
        (SERVING_DEFAULT, {"text": [], "end_bytes": []}),
    ]


class Mixed(tf.Module):
    """Many inputs and outputs at once, of different dtypes and ranks."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.uint8, "images"),
            tf.TensorSpec([], tf.float64, "scale"),
            tf.TensorSpec([None], tf.uint64, "ids"),
            tf.TensorSpec([2, None], tf.float16, "halves"),
            tf.TensorSpec([], tf.string, "name"),
        ]
    )
    def by_column(
        self, images: tf.Tensor, scale: tf.Tensor, ids: tf.Tensor, halves: tf.Tensor, name: Any
    ) -> dict[str, tf.Tensor]:
        """Return what has no rows in common."""
        return {
            "images": tf.cast(images, tf.float32) / 255,
            "scale": scale / 3,
            "ids": tf.bitwise.invert(ids),
            "halves": tf.transpose(halves) * 3,
            "name": tf.strings.join([name, "!"]),
            "count": tf.size(images, tf.int64),
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.bool, "flag"),
            tf.TensorSpec([None, 2], tf.float32, "pair"),
            tf.TensorSpec([None], tf.string, "word"),
            tf.TensorSpec([None, 1, 2], tf.int16, "box"),
        ]
    )
    def by_row(
        self, flag: tf.Tensor, pair: tf.Tensor, word: tf.Tensor, box: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Return something of each row."""
        return {
            "pair": tf.where(flag[:, None], pair, -pair),
            "word": tf.strings.upper(word),
            "box": box - 1,
            "flag": tf.logical_not(flag),
            "wide_box": tf.cast(box, tf.uint16),
            "bfloat": tf.cast(pair, tf.bfloat16),
        }


def mixed(path: Path) -> Questions:
    """Save a `Mixed`."""
    module = Mixed()
    tf.saved_model.save(
        module, str(path), {SERVING_DEFAULT: module.by_column, "row": module.by_row}
    )
    images = np.arange(2 * 2 * 1 * 3).reshape(2, 2, 1, 3) * 20
    rest = {"scale": 0.1, "ids": [0, 2**64 - 1, 2**53 + 1], "name": "n"}
    return [
        (SERVING_DEFAULT, {"images": images, "halves": [[0.1, 6e4, -1], [3e-5, -0.0, 7]], **rest}),
        (SERVING_DEFAULT, {"images": images[:, :0], "halves": [[], []], **rest}),
        (
            "row",
            {
                "flag": [True, False, True],
                "pair": [[0.1, np.nan], [-0.0, 3e38], [1e-30, -np.inf]],
                "word": ["b64", "straße", ""],
                "box": [[[1, 2]], [[-(2**15), 0]], [[2**15 - 1, -1]]],
            },
        ),
    ]


MODELS = (dense, network, loop, counter, echo, lookup, signatures, strings, mixed)
