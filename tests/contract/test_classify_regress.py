"""Classify and Regress; names of tests and rows are cases of the contract."""

import threading
from typing import Any

import grpc
import numpy as np
import pytest

from slipway.dataplane.base import PlaneConfig
from tests.contract.conftest import CheckRefusal
from tests.support.inference import (
    Ask,
    Class,
    Features,
    OverGrpc,
    OverRest,
    Question,
    RefusedError,
    class_echo,
    regress_echo,
    scored,
)
from tests.support.models import SavedModels
from tests.support.planes import plane_of
from tests.support.rest import ask
from tests.support.waiting import wait_until

EMPTY: Features = {}
DOS_UNO = scored(dos=2.0, uno=1.0)
HALF_20: list[Features] = [{"x": [20.0]}]

CLASSIFIED: dict[str, tuple[Question, list[list[Class]]]] = {
    "d15-scores-alone": (Question("half", "classify_x_to_y", HALF_20), [[("", 12.0)]]),
    "d15-by-label": (
        Question("half", "classify_x_to_y", [{"x": [10.0]}], version="/labels/stable"),
        [[("", 7.0)]],
    ),
    "d15-by-version": (
        Question("half", "classify_x_to_y", HALF_20, version="/versions/123"),
        [[("", 12.0)]],
    ),
    "e12-order-and-pairing": (
        class_echo("", DOS_UNO, scored(cuatro=4.0, tres=3.0)),
        [[("dos", 2.0), ("uno", 1.0)], [("cuatro", 4.0), ("tres", 3.0)]],
    ),
    "e13-context-alone": (
        class_echo("", EMPTY, EMPTY, context=DOS_UNO),
        [[("dos", 2.0), ("uno", 1.0)]] * 2,
    ),
    "e14-context-and-an-example-of-its-own": (
        class_echo("", EMPTY, scored(tres=3.0, cuatro=4.0), context=scored(uno=1.0, dos=2.0)),
        [[("uno", 1.0), ("dos", 2.0)], [("tres", 3.0), ("cuatro", 4.0)]],
    ),
    "e15-classes-alone": (class_echo("only_classes", DOS_UNO), [[("dos", 0.0), ("uno", 0.0)]]),
    "e15-scores-alone": (class_echo("only_scores", DOS_UNO), [[("", 2.0), ("", 1.0)]]),
    "e16-a-score-of-zero": (
        class_echo("", scored(a=-1.0, b=0.0, c=1.0)),
        [[("a", -1.0), ("b", 0.0), ("c", 1.0)]],
    ),
    "an-output-that-is-neither": (
        class_echo("classes_and_more", DOS_UNO),
        [[("dos", 0.0), ("uno", 0.0)]],
    ),
    "no-classes-at-all": (class_echo("", EMPTY, EMPTY), [[], []]),
    "a-context-of-nothing": (
        class_echo("only_scores", DOS_UNO, context={}),
        [[("", 2.0), ("", 1.0)]],
    ),
    "e11-another-method-name": (
        class_echo("other_method", DOS_UNO),
        [[("dos", 2.0), ("uno", 1.0)]],
    ),
    "a-counter-of-tf2": (Question("counter", "classify", [EMPTY]), [[("", 1.0)]]),
}

REGRESSED: dict[str, tuple[Question, list[float]]] = {
    "d14-unversioned": (Question("half", "regress_x_to_y", [{"x": [80.0]}]), [42.0]),
    "d14-by-version": (
        Question("half", "regress_x_to_y", [{"x": [80.0]}], version="/versions/123"),
        [42.0],
    ),
    "d14-by-label": (
        Question("half", "regress_x_to_y", [{"x": [80.0]}], version="/labels/stable"),
        [42.0],
    ),
    "e20-two-examples": (regress_echo("", 2.0, 3.0), [2.0, 3.0]),
    "e20-plus-one": (regress_echo("plus_one", 2.0, 3.0), [3.0, 4.0]),
    "e20-context": (regress_echo("", None, None, context=3.0), [3.0, 3.0]),
    "context-and-an-example-of-its-own": (regress_echo("", None, 5.0, context=3.0), [3.0, 5.0]),
    "a-column": (regress_echo("column", 2.0, -3.0), [2.0, -3.0]),
    "infinities": (
        regress_echo("", float("inf"), float("-inf")),
        [float("inf"), float("-inf")],
    ),
    "e11-another-method-name": (regress_echo("other_method", 2.0), [2.0]),
}

# What the graph gives, or what is asked of it, is not what Classify takes: a part of the message.
NOT_CLASSIFIED: dict[str, tuple[Question, str]] = {
    "unknown-signature": (
        class_echo("other", EMPTY),
        "No signature was found with the name: other",
    ),
    "no-default-signature": (
        Question("counter", "", [EMPTY]),
        "No signature was found with the name: serving_default",
    ),
    "e18-a-signature-of-regression": (
        Question("half", "regress_x_to_y", HALF_20),
        'Expected classification signature outputs to contain at least one of "classes" or '
        '"scores". Signature was: inputs {\n  key: "inputs"\n  value {\n    name: "tf_example:0"',
    ),
    "e18-an-empty-signature": (class_echo("empty", EMPTY), "Expected one input Tensor."),
    "e18-scores-of-rank-3": (
        class_echo("cube_scores", DOS_UNO),
        "Expected Tensor shape: [batch_size num_classes] but got [1,2,1]",
    ),
    "scores-of-rank-1": (
        class_echo("flat_scores", DOS_UNO),
        "Expected Tensor shape: [batch_size num_classes] but got [1]",
    ),
    "a-signature-of-predict": (
        Question("half", "serving_default", HALF_20),
        'No classification inputs found in SignatureDef: inputs {\n  key: "x"',
    ),
    "an-input-of-another-name": (
        class_echo("other_input", DOS_UNO),
        "No classification inputs found in SignatureDef: ",
    ),
    "two-inputs": (class_echo("two_inputs", DOS_UNO), "Expected one input Tensor."),
    "an-output-of-another-name": (
        class_echo("other_output", DOS_UNO),
        'at least one of "classes" or "scores"',
    ),
    "three-outputs": (
        class_echo("three_outputs", DOS_UNO),
        "Expected one or two output Tensors, found 3",
    ),
    "e19-classes-of-one-example": (
        class_echo("first_classes", DOS_UNO, DOS_UNO),
        "Expected classes output batch size of 2. Got: 1",
    ),
    "e19-scores-of-one-example": (
        class_echo("first_scores", DOS_UNO, DOS_UNO),
        "Expected scores output batch size of 2. Got: 1",
    ),
    "e19-classes-that-are-floats": (
        class_echo("float_classes", DOS_UNO),
        "Expected classes Tensor of DT_STRING. Got: DT_FLOAT",
    ),
    "e19-scores-that-are-strings": (
        class_echo("string_scores", DOS_UNO),
        "Expected scores Tensor of DT_FLOAT. Got: DT_STRING",
    ),
    "scores-that-are-doubles": (
        class_echo("double_scores", DOS_UNO),
        "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE",
    ),
    "e19-a-score-more-than-classes": (
        class_echo("one_score_more", DOS_UNO, DOS_UNO),
        "Tensors class and score should match in dim_size(1). Got 2 vs. 3",
    ),
    "a-signature-of-floats": (
        Question("half", "classify_x2_to_y3", HALF_20),
        'Expects arg[0] to be float but string is provided (input "inputs" of signature '
        '"classify_x2_to_y3")',
    ),
    "a-feature-of-another-kind": (
        Question("half", "classify_x_to_y", [{"x": ["twenty"]}]),
        "Data type: string but expected type: float",
    ),
    "a-feature-of-too-many-values": (
        Question("half", "classify_x_to_y", [{"x": [1.0, 2.0]}]),
        "Key: x, Index: 0.  Number of float values != expected",
    ),
    "a-feature-that-is-missing": (
        Question("estimator", "", [{"words": ["good"]}]),
        "Feature: age (data type: float) is required but could not be found.",
    ),
    "unknown-label": (
        Question("half", "classify_x_to_y", HALF_20, version="/labels/other"),
        "Unrecognized servable version label: other",
    ),
}

NOT_REGRESSED: dict[str, tuple[Question, str]] = {
    "unknown-signature": (
        regress_echo("other", 1.0),
        "No signature was found with the name: other",
    ),
    "e18-an-empty-signature": (regress_echo("empty", 1.0), "Expected one input Tensor."),
    "a-signature-of-classification": (
        Question("half", "classify_x_to_y", HALF_20),
        "No regression outputs found in SignatureDef: inputs {\n  key: ",
    ),
    "a-signature-of-predict": (
        Question("half", "serving_default", HALF_20),
        "No regression inputs found in SignatureDef: inputs {\n  key: ",
    ),
    "an-input-of-another-name": (
        regress_echo("other_input", 1.0),
        "No regression inputs found in SignatureDef: ",
    ),
    "an-output-of-another-name": (
        regress_echo("other_output", 1.0),
        "No regression outputs found in SignatureDef: ",
    ),
    "two-outputs": (regress_echo("two_outputs", 1.0), "Expected one output Tensor."),
    "e21-two-values-for-one-example": (
        regress_echo("twice", 1.0),
        "Input batch size did not match output batch size: 1 vs. 2",
    ),
    "e21-values-that-are-strings": (
        regress_echo("string", 1.0),
        "Expected output Tensor of DT_FLOAT.  Got: DT_STRING",
    ),
    "values-of-two-columns": (
        regress_echo("two_columns", 1.0),
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]",
    ),
    "a-value-for-all-examples": (
        regress_echo("sum", 1.0),
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got []",
    ),
    "e22-a-run-that-fails": (regress_echo("failing", float("inf")), "Run totally failed"),
    "a-signature-of-floats": (
        Question("half", "regress_x2_to_y3", HALF_20),
        'Expects arg[0] to be float but string is provided (input "inputs" of signature '
        '"regress_x2_to_y3")',
    ),
}


@pytest.mark.parametrize(("question", "expected"), CLASSIFIED.values(), ids=CLASSIFIED)
def test_examples_are_classified(
    over: Ask, question: Question, expected: list[list[Class]]
) -> None:
    assert over.classify(question) == expected


@pytest.mark.parametrize(("question", "expected"), REGRESSED.values(), ids=REGRESSED)
def test_examples_are_regressed(over: Ask, question: Question, expected: list[float]) -> None:
    assert over.regress(question) == expected


@pytest.mark.parametrize(("question", "message"), NOT_CLASSIFIED.values(), ids=NOT_CLASSIFIED)
def test_what_cannot_be_classified_is_refused(
    over: Ask, check_refusal: CheckRefusal, question: Question, message: str
) -> None:
    with pytest.raises(RefusedError) as raised:
        over.classify(question)
    check_refusal(raised.value.found, over.refusal, message)
    assert over.classify(class_echo("only_scores", DOS_UNO)) == [[("", 2.0), ("", 1.0)]]


@pytest.mark.parametrize(("question", "message"), NOT_REGRESSED.values(), ids=NOT_REGRESSED)
def test_what_cannot_be_regressed_is_refused(
    over: Ask, check_refusal: CheckRefusal, question: Question, message: str
) -> None:
    with pytest.raises(RefusedError) as raised:
        over.regress(question)
    check_refusal(raised.value.found, over.refusal, message)
    assert over.regress(regress_echo("", 2.0)) == [2.0]


def test_models_of_either_tensorflow_answer_as_their_graphs_do(
    over: Ask, saved_models: SavedModels
) -> None:
    asked: list[Features] = [
        {"age": [1.5], "words": ["good", "nobody knows"], "count": [2]},
        {"age": [-3.0], "words": ["bad"]},
        {"age": [0.0]},
    ]
    wanted = saved_models.expected["estimator"][0].outputs
    found = over.classify(Question("estimator", "", asked))
    assert [[label for label, _ in row] for row in found] == [["NEG", "POS", "NEU"]] * 3
    scores = [[score for _, score in row] for row in found]
    np.testing.assert_allclose(scores, wanted["scores"], rtol=1e-6)
    (regression,) = over.regress(Question("estimator", "regression", asked[:1]))
    wanted = saved_models.expected["estimator"][1].outputs
    np.testing.assert_allclose(regression, wanted["outputs"][0, 0], rtol=1e-6)

    asked = [{"x": [1.5], "tags": ["a", "b"]}, {"x": [-2.0]}]
    assert over.classify(Question("judge", "", asked)) == [
        [("low", 2.5), ("high", 2.5)],
        [("low", -2.0), ("high", 2.0)],
    ]
    assert over.regress(Question("judge", "regress", asked)) == [2.5, 2.0]


LONG = Question("loop", "regress", [{"turns": [20_000]}])


def test_a_run_that_outlasts_its_deadline_is_given_up(
    serving: Any, client: Any, stubs: Any
) -> None:
    request = regression_request(stubs, LONG)
    with pytest.raises(grpc.RpcError) as raised:
        client.prediction.Regress(request, timeout=0.05)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert OverRest(serving.rest).regress(regress_echo("", 2.0)) == [2.0]


def test_a_rest_request_has_the_time_that_is_set(saved_models: SavedModels) -> None:
    config = PlaneConfig(rest_port=0, rest_timeout_s=0.05)
    with plane_of(saved_models, ["loop", "regress_echo"], config) as addresses:
        assert addresses.rest
        body = {"signature_name": "regress", "examples": LONG.examples}
        reply = ask(addresses.rest, "POST", "/v1/models/loop:regress", body)
        assert (reply.status, reply.error) == (504, "Timed out waiting for notification")


def test_what_nobody_waits_for_any_more_is_not_begun(saved_models: SavedModels, stubs: Any) -> None:
    config = PlaneConfig(grpc_port=0, run_threads=1)
    with plane_of(saved_models, ["loop", "regress_echo"], config) as addresses:
        client = stubs.OfficialClient(addresses.grpc)

        def runs() -> int:
            answer = client.predict(stubs.model_spec("regress_echo", "runs"))
            return int(stubs.to_array(answer.outputs["runs"]))

        def is_refused(signature: str) -> bool:
            request = regression_request(stubs, regress_echo(signature, 1.0))
            call = client.prediction.Regress.future(request, timeout=0.05)
            code: grpc.StatusCode = call.code()
            return code is grpc.StatusCode.DEADLINE_EXCEEDED

        before = runs()
        long = client.prediction.Regress.future(regression_request(stubs, LONG), timeout=60)
        wait_until(lambda: is_refused("plus_one"), "the one thread to have something to do")
        for _ in range(5):
            assert is_refused("counted")
        left = regression_request(stubs, regress_echo("counted", 1.0))
        for call in [client.prediction.Regress.future(left, timeout=60) for _ in range(5)]:
            call.cancel()
        assert long.result().result.regressions[0].value == 20_000
        assert runs() == before
        client.channel.close()


def regression_request(stubs: Any, question: Question) -> Any:
    """Return a request over gRPC."""
    request = stubs.request_of("PredictionService", "Regress", "")
    request.model_spec.CopyFrom(stubs.model_spec(question.model, question.signature))
    request.input.CopyFrom(stubs.examples(question.examples, question.context))
    return request


def test_answers_are_right_when_many_ask_at_once(client: Any, stubs: Any) -> None:
    over = OverGrpc(client, stubs)
    wrong: list[Any] = []

    def ask_often(number: int) -> None:
        for turn in range(50):
            output = float(number * 100 + turn)
            found = over.regress(regress_echo("plus_one", output, -output))
            if found != [output + 1, 1 - output]:
                wrong.append((output, found))

    threads = [threading.Thread(target=ask_often, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
