"""Signatures that answer only the calls that their method names are for."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from slipway.dataplane.base import Addresses, LoadOptions, PlaneConfig
from tests.support.inference import (
    Ask,
    OverGrpc,
    OverRest,
    RefusedError,
    class_echo,
    regress_echo,
    scored,
)
from tests.support.models import SavedModels
from tests.support.planes import plane_of
from tests.support.rest import ask

DOS_UNO = scored(dos=2.0, uno=1.0)
OTHER = "not/supported/method"

# Signatures of the models of echoes, with their method names.
UNFIT = {"other_method": OTHER, "no_method": ""}


@pytest.fixture(scope="module")
def checking(saved_models: SavedModels) -> Iterator[Addresses]:
    """A plane that checks method names."""
    options = LoadOptions(check_method_names=True)
    config = PlaneConfig(grpc_port=0, rest_port=0, load_options=options)
    with plane_of(saved_models, ["class_echo", "regress_echo", "half"], config) as addresses:
        yield addresses


@pytest.fixture
def client(checking: Addresses, stubs: Any) -> Iterator[Any]:
    client = stubs.OfficialClient(checking.grpc)
    yield client
    client.channel.close()


@pytest.fixture(params=["grpc", "rest"])
def over(request: pytest.FixtureRequest, checking: Addresses, client: Any, stubs: Any) -> Ask:
    assert checking.rest
    return OverGrpc(client, stubs) if request.param == "grpc" else OverRest(checking.rest)


@pytest.mark.parametrize(("signature", "method"), UNFIT.items(), ids=UNFIT)
def test_e11_examples_are_for_signatures_of_the_method(
    over: Ask, signature: str, method: str
) -> None:
    assert over.classify(class_echo("", DOS_UNO)) == [[("dos", 2.0), ("uno", 1.0)]]
    assert over.regress(regress_echo("", 2.0)) == [2.0]
    with pytest.raises(RefusedError) as raised:
        over.classify(class_echo(signature, DOS_UNO))
    assert raised.value.found == (
        over.refusal,
        "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
        + method,
    )
    with pytest.raises(RefusedError) as raised:
        over.regress(regress_echo(signature, 2.0))
    assert raised.value.found == (
        over.refusal,
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: "
        + method,
    )


def test_e11_a_task_is_for_a_signature_of_its_method(client: Any, stubs: Any) -> None:
    tasks = [
        (stubs.model_spec("regress_echo"), "regress"),
        (stubs.model_spec("regress_echo", "other_method"), "regress"),
    ]
    asked = stubs.examples([{"output": [2.0]}])
    assert client.multi_inference(tasks[:1], asked).results
    with pytest.raises(grpc.RpcError) as raised:
        client.multi_inference(tasks, asked)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Expected regression signature method_name" in raised.value.details()


@pytest.mark.parametrize(("signature", "method"), UNFIT.items(), ids=UNFIT)
def test_e11_predict_is_for_signatures_of_any_of_the_methods(
    checking: Addresses, client: Any, stubs: Any, signature: str, method: str
) -> None:
    for name, alias in [
        ("serving_default", "x"),
        ("regress_x2_to_y3", "inputs"),
        ("classify_x2_to_y3", "inputs"),
    ]:
        client.predict(stubs.model_spec("half", name), **{alias: np.float32(2)})
    message = (
        "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
        f"tensorflow/serving/classify, tensorflow/serving/regress}}. Was: {method}"
    )
    with pytest.raises(grpc.RpcError) as raised:
        client.predict(stubs.model_spec("regress_echo", signature), inputs=[b""])
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert raised.value.details() == message
    assert checking.rest
    body = {"signature_name": signature, "instances": [""]}
    reply = ask(checking.rest, "POST", "/v1/models/regress_echo:predict", body)
    assert (reply.status, reply.error) == (500, message)
