"""Models as TensorFlow 1 exports them: a graph, a session, and what was put into a collection.

Each function writes a SavedModel and returns questions for it: a signature with values for its
inputs, which get the declared dtypes.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "half_plus_two"))
import export as half_plus_two

v1 = tf.compat.v1

Questions = list[tuple[str, dict[str, Any]]]


def half(path: Path) -> Questions:
    """The example of the documentation, whose declared shape [-1, 1] everybody ignores."""
    half_plus_two.export(path.parent, int(path.name))

    def example(**features: float) -> bytes:
        floats = {
            name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
            for name, value in features.items()
        }
        message: bytes = tf.train.Example(
            features=tf.train.Features(feature=floats)
        ).SerializeToString()
        return message

    examples = [example(x=0.1), example(x=-3, x2=7), example()]
    return [
        ("serving_default", {"x": [[1.0], [2.0], [5.0]]}),
        ("serving_default", {"x": [[0.1], [-0.0], [3e38], [1e-38], [np.inf], [np.nan]]}),
        ("regress_x_to_y2", {"inputs": examples}),
        ("classify_x_to_y", {"inputs": examples}),
    ]


def vocabulary(path: Path) -> Questions:
    """A table from a vocabulary in an asset, filled by a legacy init op; strings and int64."""
    words = path.parent / "words.txt"
    words.write_text("好\nbad\nso so\n")
    with v1.Graph().as_default(), v1.Session() as session:
        asset = tf.constant(str(words))
        to_id = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                asset, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            num_oov_buckets=1,
        )  # fmt: skip
        given = v1.placeholder(tf.string, [None], name="words")
        ids = to_id.lookup(given)
        shout = tf.strings.join([given, tf.constant("!")])
        session.run([v1.tables_initializer(), v1.global_variables_initializer()])
        v1.saved_model.simple_save(
            session,
            str(path),
            {"words": given},
            {"ids": ids, "shout": shout},
            legacy_init_op=v1.tables_initializer(),
        )
    return [("serving_default", {"words": ["好", "so so", "nobody knows", ""]})]


def reference(path: Path) -> Questions:
    """Reference variables, one of which is itself an output; aliases that are no identifiers."""
    with v1.Graph().as_default(), v1.Session() as session:
        weights = v1.get_variable(
            "weights", initializer=tf.constant([0.1, -2, 1e30]), use_resource=False
        )
        offset = v1.get_variable("offset", initializer=np.int64(2**53 + 1), use_resource=False)
        floats = v1.placeholder(tf.float32, [None, 3])
        integers = v1.placeholder(tf.int64, [None])
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(
            session,
            str(path),
            {"the floats": floats, "整数/1": integers},
            {"scaled": floats * weights, "moved": integers + offset, "weights": weights},
        )
    return [
        ("serving_default", {"the floats": rows, "整数/1": integers})
        for rows, integers in [
            ([[1.0, 2.0, 3.0]], [-(2**63)]),
            ([[0.1, -0.0, 1e30], [1e-40, 1e-38, -1e-30], [np.nan, np.inf, 3e-39]], [1, 2, -3]),
            (np.zeros([0, 3]), [0]),
        ]
    ]


def sharded(path: Path) -> Questions:
    """Resource variables in three shards, written by a builder whose main op sets another."""
    config = v1.ConfigProto(device_count={"CPU": 2})
    with v1.Graph().as_default(), v1.Session(config=config) as session:
        with tf.device("/cpu:0"):
            left = v1.get_variable(
                "left", initializer=tf.constant([0.1, 1e300], tf.float64), use_resource=True
            )
        with tf.device("/cpu:1"):
            right = v1.get_variable("right", initializer=tf.constant([-7, 2**31 - 1]))
            name = v1.get_variable("name", initializer=tf.constant([b"\0", "好"]))
        parts = v1.get_variable(
            "parts",
            [4, 2],
            initializer=lambda shape, dtype, partition_info: tf.fill(
                shape, np.float32(partition_info.var_offset[0] - 0.7)
            ),
            partitioner=v1.fixed_size_partitioner(2),
        )
        local = v1.get_variable(
            "local", initializer=np.float32(0.3), collections=[v1.GraphKeys.LOCAL_VARIABLES]
        )
        row = v1.placeholder(tf.int32, [None], name="row")
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        outputs = {
            "left": tf.gather(left, row % 2),
            "right": tf.gather(right, row % 2),
            "name": tf.gather(name, row % 2),
            "parts": tf.gather(tf.convert_to_tensor(parts), row) + local,
        }
        signature = v1.saved_model.predict_signature_def({"row": row}, outputs)
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            {"serving_default": signature},
            main_op=v1.local_variables_initializer(),
            clear_devices=True,
        )
        builder.save()
    assert len(list(path.glob("variables/variables.data-*"))) == 3
    return [("serving_default", {"row": [3, 0, 2]}), ("serving_default", {"row": []})]


def control(path: Path) -> Questions:
    """Control flow in frames and switches; inputs that are not the graph's own placeholders."""
    v1.disable_control_flow_v2()
    try:
        with v1.Graph().as_default(), v1.Session() as session:
            unused = v1.placeholder(tf.string, name="a")
            limit = v1.placeholder_with_default(np.int32(5), [], name="b")
            start = tf.identity(tf.strings.to_number(unused, tf.int64), name="start")
            product, _ = v1.while_loop(
                lambda product, turns: turns < limit,
                lambda product, turns: (product * 3, turns + 1),
                [start, tf.constant(0)],
            )
            is_large = product > 100
            verdict = v1.cond(is_large, lambda: tf.constant("large"), lambda: tf.as_string(product))
            v1.saved_model.simple_save(
                session,
                str(path),
                {"z_start": start, "limit": limit},
                {"product": product, "again": product, "verdict": verdict, "is_large": is_large},
            )
    finally:
        v1.enable_control_flow_v2()
    return [
        ("serving_default", {"z_start": start, "limit": limit})
        for start, limit in [(7, 3), (-1, 0), (2**40, 20)]
    ]


MODELS = (half, vocabulary, reference, sharded, control)
