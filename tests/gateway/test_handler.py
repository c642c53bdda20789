"""Handlers as plain objects: what calls them, with what, and without HTTP."""

from typing import Annotated, Any

import numpy as np
import pytest

from slipway.arrays import Arrays
from slipway.errors import BadInputError, ConfigError, NotFoundError
from slipway.gateway import Handler, Header, Predict, handler
from slipway.gateway.route import Route
from slipway.testing import FakeModels, run_handler


def halve(inputs: Any) -> dict[str, Any]:
    return {"y": np.asarray(inputs["x"]) / 2 + 2}


class Half(Handler):
    route = "/half"
    model = "half_plus_two"

    def preprocess(self, x: float) -> dict[str, Any]:
        if x < 0:
            raise BadInputError("x is negative")
        return {"x": [x]}

    def postprocess(self, outputs: Arrays, digits: int = 2) -> Any:
        return round(float(outputs["y"][0]), digits)


def test_a_class_turns_inputs_into_arrays_and_outputs_into_an_answer() -> None:
    assert run_handler(Half(), {"half_plus_two": halve}, x=5) == 4.5


def test_postprocess_gets_what_it_names_and_no_more() -> None:
    assert run_handler(Half(), {"half_plus_two": halve}, x=1.111, digits=1) == 2.6
    assert list(Route(Half()).parameters) == ["digits", "x"]


def test_both_halves_may_name_the_same_input() -> None:
    class Echo(Handler):
        def preprocess(self, x: float) -> dict[str, Any]:
            return {"x": x}

        def postprocess(self, outputs: Arrays, x: float) -> Any:
            return x, outputs

    assert run_handler(Echo(), {"": lambda inputs: dict(inputs)}, x=3.0) == (3.0, {"x": 3.0})


def test_inputs_must_have_names() -> None:
    class Nameless(Handler):
        def preprocess(self) -> Any:
            return [1.0]

    with pytest.raises(TypeError, match=r"must return the inputs of the model by name.* list"):
        run_handler(Nameless(), {"": halve})


def test_outputs_are_the_answer_where_nothing_else_is_said() -> None:
    class Plain(Handler):
        model = "m"

        def preprocess(self, x: float) -> dict[str, Any]:
            return {"x": [x]}

    assert run_handler(Plain(), {"m": halve}, x=1)["y"].tolist() == [2.5]


def test_a_function_asks_its_model() -> None:
    @handler("/half", model="half_plus_two")
    def half(predict: Predict, x: float) -> float:
        return float(predict({"x": [x]})["y"][0])

    assert (half.route, half.model) == ("/half", "half_plus_two")
    assert run_handler(half, {"half_plus_two": halve}, x=5) == 4.5


def test_a_handler_may_ask_several_models() -> None:
    class Both(Handler):
        model = "first"
        needs = ("second",)

        def handle(self, predict: Predict, x: float) -> Any:
            first = predict({"x": [x]})
            return predict({"x": first["y"]}, model="second", label="canary")["y"].tolist()

    models = FakeModels({"first": halve, "second": halve})
    assert run_handler(Both(), models, x=4) == [4.0]
    assert [name for name, _ in models.calls] == ["first", "second"]


def test_settings_of_a_handler_go_with_each_call_of_its_model() -> None:
    models = FakeModels({"half_plus_two": halve})
    handler = Half(label="stable", signature="other", timeout_s=3.0, idempotent=False)
    run_handler(handler, models, x=1)
    [settings] = models.settings
    assert settings["label"] == "stable"
    assert settings["signature"] == "other"
    assert settings["idempotent"] is False
    assert 2 < settings["timeout_s"] <= 3


def test_a_call_of_another_model_does_not_inherit_version_label_or_signature() -> None:
    class Other(Handler):
        model = "one"

        def handle(self, predict: Predict) -> Any:
            return predict({"x": [1.0]}, model="two")["y"][0]

    models = FakeModels({"two": halve})
    run_handler(Other(version=3, signature="special"), models)
    [settings] = models.settings
    assert settings["version"] is None
    assert settings["signature"] == "serving_default"


def test_settings_of_an_instance_are_its_own() -> None:
    assert Half(model="lstm").model == "lstm"
    assert Half().model == "half_plus_two"


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(TypeError, match=r"Half has no setting modle; settings are .*model"):
        Half(modle="lstm")


def test_what_a_handler_raises_comes_out() -> None:
    with pytest.raises(BadInputError, match="x is negative"):
        run_handler(Half(), {"half_plus_two": halve}, x=-1)
    with pytest.raises(NotFoundError, match="half_plus_two"):
        run_handler(Half(), {}, x=1)


@pytest.mark.parametrize(("values", "message"), [({}, "takes x too"), ({"z": 1}, "takes no z")])
def test_values_that_do_not_fit_are_named(values: dict[str, int], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        run_handler(Half(), {"half_plus_two": halve}, **values)


def test_a_parameter_without_a_type_is_a_mistake_in_the_handler() -> None:
    class Untyped(Handler):
        route = "/untyped"

        def preprocess(self, line):  # type: ignore[no-untyped-def]
            return line

    with pytest.raises(ConfigError, match=r"must say the type of line, such as line: str"):
        Route(Untyped())


def test_two_types_for_one_input_are_a_mistake_in_the_handler() -> None:
    class Torn(Handler):
        route = "/torn"

        def preprocess(self, x: float) -> dict[str, Any]:
            return {"x": x}

        def postprocess(self, outputs: Arrays, x: Annotated[float, Header("X")]) -> Any:
            return x

    with pytest.raises(ConfigError, match="different types for x"):
        Route(Torn())


def test_a_handler_without_preprocess_says_so() -> None:
    with pytest.raises(ConfigError, match="has neither preprocess nor handle"):
        run_handler(Handler(), {})
