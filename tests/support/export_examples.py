"""Models that are asked about examples: Classify, Regress and MultiInference.

Each function writes a SavedModel and returns questions for it, as in `export_tf1.py`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.export_tf1 import Questions
from tests.support.export_tf2 import SERVING_DEFAULT

v1 = tf.compat.v1

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
PREDICT = "tensorflow/serving/predict"


def example(**features: Any) -> bytes:
    """Return a serialized example of lists of bytes, floats or integers."""

    def feature(values: list[Any]) -> tf.train.Feature:
        match values[0]:
            case bytes():
                return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
            case float():
                return tf.train.Feature(float_list=tf.train.FloatList(value=values))
            case _:
                return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    listed = {name: feature(values) for name, values in features.items()}
    message: bytes = tf.train.Example(
        features=tf.train.Features(feature=listed)
    ).SerializeToString()
    return message


def signature(method: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
    """Return a signature of tensors by their aliases."""
    info = v1.saved_model.build_tensor_info
    return v1.saved_model.build_signature_def(
        {alias: info(tensor) for alias, tensor in inputs.items()},
        {alias: info(tensor) for alias, tensor in outputs.items()},
        method,
    )


def save(session: Any, path: Path, signatures: dict[str, Any]) -> None:
    """Save the graph of a session, which has no tables."""
    session.run(v1.global_variables_initializer())
    builder = v1.saved_model.Builder(str(path))
    builder.add_meta_graph_and_variables(
        session, [v1.saved_model.tag_constants.SERVING], signature_def_map=signatures
    )
    builder.save()


def class_echo(path: Path) -> Questions:
    """Answers with the features `classes` and `scores` of each example, or what is none of it."""
    with v1.Graph().as_default(), v1.Session() as session:
        inputs = v1.placeholder(tf.string, [None], name="examples")
        parsed = v1.io.parse_example(
            inputs,
            {
                "classes": v1.FixedLenSequenceFeature([], tf.string, allow_missing=True),
                "scores": v1.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
            },
        )
        classes = tf.identity(parsed["classes"], name="classes")
        scores = tf.identity(parsed["scores"], name="scores")

        def classify(method: str = CLASSIFY, **outputs: Any) -> Any:
            return signature(method, {"inputs": inputs}, outputs)

        save(
            session,
            path,
            {
                SERVING_DEFAULT: classify(classes=classes, scores=scores),
                "only_classes": classify(classes=classes),
                "only_scores": classify(scores=scores),
                "classes_and_more": classify(classes=classes, more=scores),
                # Each example itself, as a class.
                "serialized": classify(classes=inputs[:, tf.newaxis]),
                "other_method": classify("not/supported/method", classes=classes, scores=scores),
                "no_method": classify("", classes=classes, scores=scores),
                "empty": signature(CLASSIFY, {}, {}),
                "other_input": signature(CLASSIFY, {"examples": inputs}, {"scores": scores}),
                "two_inputs": signature(
                    CLASSIFY, {"inputs": inputs, "more": scores}, {"scores": scores}
                ),
                "other_output": classify(labels=classes),
                "three_outputs": classify(classes=classes, scores=scores, more=scores),
                "flat_scores": classify(scores=scores[:, 0]),
                "cube_scores": classify(scores=scores[..., tf.newaxis]),
                "first_classes": classify(classes=classes[:1]),
                "first_scores": classify(scores=scores[:1]),
                "float_classes": classify(classes=scores),
                "string_scores": classify(scores=classes),
                "double_scores": classify(scores=tf.cast(scores, tf.float64)),
                "one_score_more": classify(
                    classes=classes, scores=tf.concat([scores, scores[:, :1]], axis=1)
                ),
            },
        )
    return [
        (SERVING_DEFAULT, {"inputs": [example(classes=[b"a", b"\xff"], scores=[0.1, -2.0])]}),
        ("only_scores", {"inputs": [example(scores=[1.0]), b""]}),
        ("serialized", {"inputs": [b"any", b"\0"]}),
    ]


def regress_echo(path: Path) -> Questions:
    """Answers with the feature `output` of each example; counts the runs of some signatures."""
    with v1.Graph().as_default(), v1.Session() as session:
        inputs = v1.placeholder(tf.string, [None], name="examples")
        feature = v1.FixedLenFeature([], tf.float32, 0.0)
        output = v1.io.parse_example(inputs, {"output": feature})["output"]
        runs = v1.get_variable("runs", initializer=0, use_resource=True)
        with tf.control_dependencies([runs.assign_add(1)]):
            counted = tf.identity(output)

        def regress(method: str = REGRESS, **outputs: Any) -> Any:
            return signature(method, {"inputs": inputs}, outputs)

        save(
            session,
            path,
            {
                SERVING_DEFAULT: regress(outputs=output),
                "plus_one": regress(outputs=output + 1),
                "column": regress(outputs=output[:, tf.newaxis]),
                "counted": regress(outputs=counted),
                "counted_plus_one": regress(outputs=counted + 1),
                "scores_of_counted": signature(
                    CLASSIFY, {"inputs": inputs}, {"scores": counted[:, tf.newaxis]}
                ),
                "runs": signature(PREDICT, {}, {"runs": tf.identity(runs)}),
                "other_method": regress("not/supported/method", outputs=output),
                "no_method": regress("", outputs=output),
                "empty": signature(REGRESS, {}, {}),
                "other_input": signature(REGRESS, {"examples": inputs}, {"outputs": output}),
                "other_output": regress(values=output),
                "two_outputs": regress(outputs=output, more=output),
                "twice": regress(outputs=tf.concat([output, output], axis=0)),
                "string": regress(outputs=tf.strings.as_string(output)),
                "two_columns": regress(outputs=tf.stack([output, output], axis=1)),
                "sum": regress(outputs=tf.reduce_sum(output)),
                "failing": regress(
                    outputs=tf.debugging.check_numerics(output, "Run totally failed")
                ),
            },
        )
    return [
        (SERVING_DEFAULT, {"inputs": [example(output=[0.1]), b""]}),
        ("plus_one", {"inputs": []}),
    ]


def estimator(path: Path) -> Questions:
    """A linear classifier of three classes over a vocabulary, as a TF Estimator exported one."""
    words = path.parent / "words.txt"
    words.write_text("good\nbad\nso so\n")
    with v1.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], name="input_example_tensor")
        parsed = v1.io.parse_example(
            examples,
            {
                "age": v1.FixedLenFeature([1], tf.float32),
                "words": v1.VarLenFeature(tf.string),
                "count": v1.FixedLenFeature([1], tf.int64, [1]),
            },
        )
        table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            num_oov_buckets=1,
        )  # fmt: skip
        ids = tf.sparse.to_dense(table.lookup(parsed["words"]), default_value=4)
        bag = tf.reduce_sum(tf.one_hot(ids, 4), axis=1)
        row = tf.concat([parsed["age"], bag, tf.cast(parsed["count"], tf.float32)], axis=1)
        weights = np.linspace(-0.5, 0.5, 18, dtype=np.float32).reshape(6, 3)
        logits = row @ v1.get_variable("weights", initializer=weights, use_resource=False)
        probabilities = tf.nn.softmax(logits, name="probabilities")
        names = tf.constant([["NEG", "POS", "NEU"]])
        classes = tf.tile(names, [tf.shape(probabilities)[0], 1])
        regression = tf.reduce_max(logits, axis=1, keepdims=True)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])

        def head(method: str, alias: str, **outputs: Any) -> Any:
            return signature(method, {alias: examples}, outputs)

        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            {
                SERVING_DEFAULT: head(CLASSIFY, "inputs", classes=classes, scores=probabilities),
                "classification": head(CLASSIFY, "inputs", classes=classes, scores=probabilities),
                "regression": head(REGRESS, "inputs", outputs=regression),
                "predict": head(PREDICT, "examples", probabilities=probabilities, logits=logits),
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()
    asked = [
        example(age=[1.5], words=[b"good", b"nobody knows"], count=[2]),
        example(age=[-3.0], words=[b"bad"]),
        example(age=[0.0]),
    ]
    return [
        (SERVING_DEFAULT, {"inputs": asked}),
        ("regression", {"inputs": asked[:1]}),
        ("predict", {"examples": asked}),
    ]


class Judge(tf.Module):
    """What today's TensorFlow saves: each signature is a function with an input of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable([[1.0, -1.0], [0.5, 2.0]])
        self.names = tf.constant([["low", "high"]])

    def _scores(self, inputs: tf.Tensor) -> tf.Tensor:
        features = {
            "x": tf.io.FixedLenFeature([], tf.float32),
            "tags": tf.io.RaggedFeature(tf.string),
        }
        parsed = tf.io.parse_example(inputs, features)
        tags = tf.cast(parsed["tags"].row_lengths(), tf.float32)
        return tf.stack([parsed["x"], tags], axis=1) @ self.weights

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return two classes with their scores."""
        scores = self._scores(inputs)
        return {"scores": scores, "classes": tf.repeat(self.names, tf.shape(scores)[0], axis=0)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the better score."""
        return {"outputs": tf.reduce_max(self._scores(inputs), axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def double(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return something that is not about examples."""
        return {"y": 2 * x}


def judge(path: Path) -> Questions:
    """Save a `Judge`."""
    module = Judge()
    signatures = {
        SERVING_DEFAULT: module.classify,
        "regress": module.regress,
        "double": module.double,
    }
    tf.saved_model.save(module, str(path), signatures)
    asked = [example(x=[1.5], tags=[b"a", b"b"]), example(x=[-2.0])]
    return [
        (SERVING_DEFAULT, {"inputs": asked}),
        ("regress", {"inputs": asked}),
        ("double", {"x": [1.0]}),
    ]


MODELS = (class_echo, regress_echo, estimator, judge)
