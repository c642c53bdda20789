"""The gateway in front of a model server that is not ours, and knows the contract alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slipway.examples.sentiment import Words
from slipway.gateway import GatewayConfig, create_app
from slipway.gateway.upstreams import Upstreams
from tests.support.foreign import grpc_server


@pytest.mark.parametrize("timeout_s", [2.5, 30.0])
def test_a_request_goes_through_with_its_deadline(
    stubs: Any, tmp_path: Path, timeout_s: float
) -> None:
    seen: list[Any] = []

    def predict(request: Any, context: Any) -> Any:
        seen.append((request.model_spec, stubs.to_array(request.inputs["words"])))
        left_s.append(context.time_remaining())
        answer = stubs.predict_pb2.PredictResponse()
        answer.outputs["classes_id"].CopyFrom(stubs.to_proto(np.array([1])))
        answer.outputs["labels"].CopyFrom(stubs.to_proto(np.array([b"POS"], object)))
        answer.outputs["softmax"].CopyFrom(stubs.to_proto(np.array([[0.1, 0.8, 0.1]], np.float32)))
        return answer

    left_s: list[float] = []
    with grpc_server(stubs, predict, available=["lstm"]) as address:
        upstreams = Upstreams([address])
        handler = Words(model="lstm", label="stable", timeout_s=timeout_s)
        config = GatewayConfig([handler], run_folder=tmp_path)
        client = create_app(config, models=upstreams).test_client()
        answer = client.post("/predict", json={"words": ["很", "好"]})
        ready = client.get("/readyz")
        upstreams.close()
    assert answer.json == {
        "status": 0,
        "classes_id": 1,
        "labels": "POS",
        "softmax": [0.1, 0.8, 0.1],
    }
    [(spec, words)] = seen
    assert (spec.name, spec.version_label) == ("lstm", "stable")
    assert words.tolist() == [["很".encode(), "好".encode()]]
    assert timeout_s - 1 < left_s[0] <= timeout_s
    assert ready.status_code == 200


def test_it_is_not_ready_without_the_model(stubs: Any, tmp_path: Path) -> None:
    with grpc_server(stubs, lambda *_: None, available=["other"]) as address:
        upstreams = Upstreams([address])
        app = create_app(GatewayConfig([Words()], run_folder=tmp_path), models=upstreams)
        response = app.test_client().get("/readyz")
        upstreams.close()
    assert response.status_code == 503
    assert response.json
    assert "Could not find any versions of sentiment" in response.json["error"]
