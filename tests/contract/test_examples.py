"""The examples that graphs are fed, byte for byte; names of tests are cases of the contract.

The signature `serialized` answers with each example itself, as the label of a class.
"""

import json
from typing import Any

import numpy as np

from tests.support.inference import Features
from tests.support.rest import ask


def test_e26_features_of_the_context_are_those_that_an_example_lacks(
    serving: Any, client: Any, stubs: Any
) -> None:
    examples: list[Features] = [{"a": [1]}, {"c": [64]}]
    context: Features = {"c": [33]}
    body = {"signature_name": "serialized", "examples": examples, "context": context}
    reply = ask(serving.rest, "POST", "/v1/models/class_echo:classify", body)
    assert [fed(stubs, row) for row in serialized_rows(reply.body)] == [
        {"a": [1], "c": [33]},
        {"c": [64]},
    ]
    # Over gRPC a label is text, which a serialized example of small numbers happens to be.
    spec = stubs.model_spec("class_echo", "serialized")
    answer = client.classify(spec, stubs.examples(examples, context))
    rows = [row.classes[0].label.encode() for row in answer.result.classifications]
    assert [fed(stubs, row) for row in rows] == [{"a": [1], "c": [33]}, {"c": [64]}]


def test_an_example_without_a_context_is_fed_as_it_came(client: Any, stubs: Any) -> None:
    # Numbers that are not packed: nobody writes it this way who writes it anew.
    numbers = delimited(3, b"\x08\x01\x08\x02")
    example = delimited(1, delimited(1, delimited(1, b"x") + delimited(2, numbers)))
    spec = stubs.model_spec("class_echo", "serialized").SerializeToString()
    request = delimited(1, spec) + delimited(2, delimited(1, delimited(1, example)))
    call = client.channel.unary_unary("/tensorflow.serving.PredictionService/Classify")
    assert delimited(1, delimited(1, delimited(1, example))) in call(request, timeout=30)


def test_an_example_that_only_protobuf_reads_is_written_for_the_graph(
    client: Any, stubs: Any
) -> None:
    x = delimited(1, b"x")
    twenty = delimited(2, delimited(1, np.float32(20).tobytes()))
    ten = delimited(2, delimited(1, np.float32(10).tobytes()))
    spec = stubs.model_spec("half", "regress_x_to_y").SerializeToString()
    call = client.channel.unary_unary("/tensorflow.serving.PredictionService/Regress")
    for entry, value in [
        (x + delimited(2, twenty), 12.0),
        # The value before the key; the last of several; a kind that takes another one's place.
        (delimited(2, twenty) + x, 12.0),
        (x + delimited(2, twenty) + delimited(2, delimited(1, b"")) + delimited(2, ten), 7.0),
        (x + delimited(2, delimited(1, delimited(1, b"text")) + twenty), 12.0),
        # A number in the second part of a list, after a first part of none.
        (x + delimited(2, delimited(2, delimited(1, b"") + twenty[2:])), 12.0),
        # No value: the feature is there, and empty.
        (x, 2.0),
    ]:
        example = delimited(1, delimited(1, entry))
        request = delimited(1, spec) + delimited(2, delimited(1, delimited(1, example)))
        result = delimited(1, delimited(1, b"\x0d" + np.float32(value).tobytes()))
        assert call(request, timeout=30).startswith(result), entry


def delimited(number: int, content: bytes) -> bytes:
    """Return a field of a message."""
    assert len(content) < 1 << 7
    return bytes([number << 3 | 2, len(content)]) + content


def serialized_rows(body: bytes) -> list[bytes]:
    """Return the labels of a JSON answer whose strings need not be UTF-8."""
    rows = json.loads(body.decode(errors="surrogateescape"))["results"]
    return [row[0][0].encode(errors="surrogateescape") for row in rows]


def fed(stubs: Any, serialized: bytes) -> dict[str, Any]:
    """Return the features of a serialized example."""
    example = stubs.Example.FromString(serialized)
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in example.features.feature.items()
    }
