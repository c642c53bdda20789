"""Whoever asks is given the numbers of TensorFlow's own Session.run, to the bit."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import slipway
from slipway import errors
from slipway.signatures import Signature
from tests.contract.conftest import Serving
from tests.support.askers import IN_PROCESS, OVER_GRPC, OVER_REST, Ask, RestError
from tests.support.models import SavedModels
from tests.support.questions import Arrays, Question
from tests.support.rest import ask as ask_rest

MODELS = [
    "class_echo", "control", "counter", "dense", "echo", "estimator", "half", "judge", "lookup",
    "loop", "mixed", "network", "reference", "regress_echo", "sharded", "signatures", "strings",
    "vocabulary",
]  # fmt: skip

# Where numbers are summed, in an order that depends on what else is going on.
RTOL = {"dense": 1e-6, "estimator": 1e-6, "network": 1e-6}

REFUSALS = (RestError, errors.ServingError)


@pytest.fixture(params=OVER_GRPC | OVER_REST | IN_PROCESS)
def asker(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def ask(asker: str, serving: Serving) -> Iterator[Ask]:
    with (OVER_GRPC | OVER_REST | IN_PROCESS)[asker](serving) as ask:
        yield ask


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[slipway.Client]:
    with slipway.Client(serving.grpc) as client:
        yield client


def test_every_model_is_asked(saved_models: SavedModels) -> None:
    assert sorted(saved_models.expected) == MODELS
    assert all(saved_models.expected.values())


@pytest.mark.parametrize("model", MODELS)
def test_answers_are_those_of_tensorflow(
    ask: Ask, asker: str, client: slipway.Client, saved_models: SavedModels, model: str
) -> None:
    signatures = client.metadata(model).signatures
    for question in saved_models.expected[model]:
        if not can_ask(asker, question, signatures[question.signature]):
            continue
        outputs = ask(model, question.signature, question.inputs)
        assert set(outputs) == set(question.outputs)
        for alias, wanted in question.outputs.items():
            assert_same(outputs[alias], wanted, RTOL.get(model, 0))


def test_a_question_has_one_answer_however_its_ops_are_run(
    client: slipway.Client, saved_models: SavedModels
) -> None:
    """The calling thread and TensorFlow's pool take turns before one of them is chosen."""
    for model in ("half", "mixed", "reference", "sharded"):
        for question in saved_models.expected[model]:
            for _ in range(40):
                outputs = client.predict(model, question.inputs, signature=question.signature)
                for alias, wanted in question.outputs.items():
                    assert_same(outputs[alias], wanted, 0)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_have_no_form_in_json(serving: Serving, dtype: str) -> None:
    fact = f"Conversion of JSON Value: 1.5 to type: {dtype}"
    in_row = f"Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: {fact}"
    for key, status, error in [("inputs", 501, fact), ("instances", 400, in_row)]:
        body = {"signature_name": dtype, key: [1.5]}
        reply = ask_rest(serving.rest, "POST", "/v1/models/echo:predict", body)
        assert (reply.status, reply.error) == (status, error)
    with (
        slipway.Client(f"http://{serving.rest}") as client,
        pytest.raises(errors.UnimplementedError, match=rf'"x": {dtype} .* use gRPC'),
    ):
        client.predict("echo", {"x": np.ones(1, dtype)}, signature=dtype)


@pytest.mark.parametrize("asker", OVER_REST)
def test_complex_outputs_cannot_be_had_over_rest(ask: Ask) -> None:
    inputs = {"x": np.ones(1, np.float32)}
    with pytest.raises(REFUSALS, match="Failed to write JSON value for tensor type: complex64"):
        ask("signatures", "turn", inputs)


@pytest.mark.parametrize("asker", OVER_REST)
def test_rest_wants_every_input_and_at_least_one(ask: Ask) -> None:
    inputs: Arrays = {"x": np.ones(3, np.float32), "shift": np.ones(3, np.int32)}
    text = r"keys must be equal to: factor,shift,x|Missing named input: factor in"
    with pytest.raises(REFUSALS, match=text):
        ask("signatures", "scale", inputs)
    with pytest.raises(REFUSALS, match="Failed to get input map for signature: constants"):
        ask("signatures", "constants", {})


@pytest.mark.parametrize("asker", sorted(OVER_REST.keys() - {"HTTP by row"}))
def test_a_list_of_nothing_does_not_show_the_dims_behind_it(ask: Ask) -> None:
    inputs: Arrays = {"the floats": np.zeros([0, 3], np.float32), "整数/1": np.zeros(1, np.int64)}
    with pytest.raises(REFUSALS, match=r"is declared \[-1, 3\] and was given \[0\]"):
        ask("reference", "serving_default", inputs)


def can_ask(asker: str, question: Question, declared: Signature) -> bool:
    """Whether a question and its answer have a form for the asker; tests below say what if not."""
    arrays = (*question.inputs.values(), *question.outputs.values())
    takes_lists = asker == "Client given lists" or asker in OVER_REST
    if takes_lists and any(0 in array.shape[:-1] for array in arrays):
        # A list of nothing does not show what it would have lists of.
        return False
    if asker in OVER_REST:
        # JSON has no complex numbers, and REST neither default values nor questions without inputs.
        has_all_inputs = 0 < len(question.inputs) == len(declared.inputs)
        if not has_all_inputs or any(array.dtype.kind == "c" for array in arrays):
            return False
    return asker != "HTTP by row" or has_rows(question)


def has_rows(question: Question) -> bool:
    """Whether all inputs and outputs have the same number of rows, and at least one."""
    arrays = (*question.inputs.values(), *question.outputs.values())
    sizes = {array.shape[:1] for array in arrays}
    return len(sizes) == 1 and sizes.isdisjoint([(), (0,)])


def assert_same(found: NDArray[Any], wanted: NDArray[Any], rtol: float) -> None:
    """The same dtype, shape and bits; one NaN is as good as another."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if wanted.dtype == object:
        assert found.tolist() == wanted.tolist()
    elif rtol:
        np.testing.assert_allclose(found, wanted, rtol)
    else:
        assert bits(found) == bits(wanted), f"{found} is not {wanted}"


def bits(array: NDArray[Any]) -> bytes:
    """Return the memory of an array, each NaN as the same one."""
    flat = array.ravel()
    if flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    if flat.dtype.kind in "fV":
        flat = np.where(np.isnan(flat), np.asarray(np.nan, flat.dtype), flat)
    return flat.tobytes()
