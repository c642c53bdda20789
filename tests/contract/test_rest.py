"""REST, over raw HTTP; names of tests are cases of the contract."""

import json
from typing import Any

import pytest

from tests.support.rest import Reply, ask


def post(serving: Any, path: str, body: Any) -> Reply:
    return ask(serving.rest, "POST", f"/v1/models/{path}", body)


def test_d11_declared_shapes_are_not_enforced(serving: Any) -> None:
    reply = post(serving, "half:predict", {"instances": [[1.0, 2.0], [3.0, 4.0]]})
    assert reply.json == {"predictions": [[2.5, 3.0], [3.5, 4.0]]}
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("version", ["", "/versions/123", "/labels/stable"])
def test_d12_a_version_answers_by_number_and_label(serving: Any, version: str) -> None:
    reply = post(serving, f"half{version}:predict", {"instances": [1.0, 2.0]})
    assert reply.body == b'{\n    "predictions": [2.5, 3.0\n    ]\n}'


def test_d13_columns_are_answered_by_columns(serving: Any) -> None:
    body = {"signature_name": "serving_default", "inputs": [3.0, 4.0]}
    reply = post(serving, "half:predict", body)
    assert reply.body == b'{\n    "outputs": [\n        3.5,\n        4.0\n    ]\n}'


@pytest.mark.parametrize("version", ["/versions/123", "/labels/stable"])
def test_d16_a_status_is_of_the_version_asked_for(serving: Any, version: str) -> None:
    reply = ask(serving.rest, "GET", f"/v1/models/half{version}")
    status = {"error_code": "OK", "error_message": ""}
    assert reply.json == {
        "model_version_status": [{"version": "123", "state": "AVAILABLE", "status": status}]
    }


def test_metadata_has_every_signature_in_the_form_of_the_original(serving: Any) -> None:
    for path, version in [("half", "124"), ("half/versions/123", "123")]:
        document = ask(serving.rest, "GET", f"/v1/models/{path}/metadata").json
        assert document["model_spec"] == {
            "name": "half",
            "signature_name": "",
            "version": version,
        }
        signatures = document["metadata"]["signature_def"]["signature_def"]
        assert len(signatures) == 6
        assert signatures["serving_default"]["inputs"]["x"] == {
            "dtype": "DT_FLOAT",
            "name": "x:0",
            "tensor_shape": {
                "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
                "unknown_rank": False,
            },
        }
        assert signatures["serving_default"]["defaults"] == {}


def test_a_connection_serves_many_requests(serving: Any) -> None:
    import http.client

    connection = http.client.HTTPConnection(serving.rest, timeout=30)
    for number in range(50):
        body = json.dumps({"instances": [number]})
        connection.request("POST", "/v1/models/half:predict", body)
        answer = json.loads(connection.getresponse().read())
        assert answer == {"predictions": [number / 2 + 2]}
    connection.close()
