"""MultiInference; names of tests are cases of the contract."""

from typing import Any

from slipway.dataplane.base import PlaneConfig
from tests.support.inference import Features
from tests.support.models import SavedModels
from tests.support.planes import plane_of

X_2: list[Features] = [{"x": [2.0]}]


def test_e23_tasks_are_answered_in_their_order(client: Any, stubs: Any) -> None:
    asked: list[tuple[dict[str, Any], int]] = [
        ({"version": 123}, 123),
        ({"label": "stable"}, 123),
        ({}, 124),
    ]
    for choice, version in asked:
        names = ("regress_x_to_y", "regress_x_to_y2")
        specs = [stubs.model_spec("half", name, **choice) for name in names]
        tasks = [(spec, "regress") for spec in specs]
        for order in (tasks, tasks[::-1]):
            results = client.multi_inference(order, stubs.examples(X_2)).results
            values = [result.regression_result.regressions[0].value for result in results]
            assert values == ([3.0, 4.0] if order is tasks else [4.0, 3.0])
            for result, (spec, _) in zip(results, order, strict=True):
                name = spec.signature_name
                assert result.model_spec == stubs.model_spec("half", name, version=version)


def test_the_version_is_that_of_the_first_task(client: Any, stubs: Any) -> None:
    tasks = [
        (stubs.model_spec("half", "regress_x_to_y", version=123), "regress"),
        (stubs.model_spec("half", "classify_x_to_y", version=7), "classify"),
    ]
    results = client.multi_inference(tasks, stubs.examples(X_2)).results
    assert [result.model_spec.version.value for result in results] == [123, 123]
    assert [result.WhichOneof("result") for result in results] == [
        "regression_result",
        "classification_result",
    ]
    assert results[1].classification_result.classifications[0].classes[0].score == 3


def test_a_signature_that_is_not_named_is_the_default_one(client: Any, stubs: Any) -> None:
    tasks = [
        (stubs.model_spec("regress_echo"), "regress"),
        (stubs.model_spec("regress_echo", "plus_one"), "regress"),
    ]
    asked = stubs.examples([{"output": [1.0]}, {}], {"output": [5.0]})
    results = client.multi_inference(tasks, asked).results
    assert [result.model_spec.signature_name for result in results] == [
        "serving_default",
        "plus_one",
    ]
    values = [[one.value for one in result.regression_result.regressions] for result in results]
    assert values == [[1.0, 5.0], [2.0, 6.0]]


def test_signatures_with_inputs_of_their_own_are_fed_the_same_examples(
    client: Any, stubs: Any
) -> None:
    tasks = [
        (stubs.model_spec("judge", "regress"), "regress"),
        (stubs.model_spec("judge"), "classify"),
    ]
    asked = stubs.examples([{"x": [1.5], "tags": ["a", "b"]}, {"x": [-2.0]}])
    regressed, classified = client.multi_inference(tasks, asked).results
    assert [one.value for one in regressed.regression_result.regressions] == [2.5, 2.0]
    scores = [
        [one.score for one in row.classes]
        for row in classified.classification_result.classifications
    ]
    assert scores == [[2.5, 2.5], [-2.0, 2.0]]


def test_all_tasks_are_one_run(saved_models: SavedModels, stubs: Any) -> None:
    with plane_of(saved_models, ["regress_echo"], PlaneConfig(grpc_port=0)) as addresses:
        client = stubs.OfficialClient(addresses.grpc)

        def runs() -> int:
            answer = client.predict(stubs.model_spec("regress_echo", "runs"))
            return int(stubs.to_array(answer.outputs["runs"]))

        before = runs()
        tasks = [
            (stubs.model_spec("regress_echo", "counted"), "regress"),
            (stubs.model_spec("regress_echo", "counted_plus_one"), "regress"),
            (stubs.model_spec("regress_echo", "scores_of_counted"), "classify"),
        ]
        results = client.multi_inference(tasks, stubs.examples([{"output": [3.0]}])).results
        assert results[1].regression_result.regressions[0].value == 4
        assert results[2].classification_result.classifications[0].classes[0].score == 3
        assert runs() == before + 1
        client.channel.close()
