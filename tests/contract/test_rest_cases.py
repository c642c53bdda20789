"""The contract's cases D1 to D21 of REST, each under its name, and what belongs to them.

Elsewhere: D14 and D15 with classify and regress; D11 to D13 and D16 in `test_rest.py`; D1 to D5,
with other URLs, in `test_bad_rest_input.py`. Superseded: D5 has its message in its body, where the
original has none; D19 is refused for what it is, where the original takes it for an empty body; of
D21 the fragment, which no HTTP client sends, is passed over.
"""

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from slipway.dataplane.base import Limits, PlaneConfig
from slipway.dataplane.native import NativePlane
from slipway.servables import ServableId, State, VersionStatus
from tests.support import half
from tests.support.models import SavedModels
from tests.support.rest import Reply, ask

PREDICT = "/v1/models/half:predict"
GOOD = b'{"instances": [1.0, 2.0]}'
ANSWER = {"predictions": [2.5, 3.0]}
STRANGE = "!#$%&'()*+,/:;=?@[]"

# A method, a path and a body, the status and a part of the message.
REFUSED: dict[str, tuple[str, str, bytes, int, str]] = {
    "d1-get": ("GET", "/v1/foo", b"", 400, "Malformed request"),
    "d1-post": ("POST", "/v1/foo", GOOD, 400, "Malformed request"),
    "d2": ("GET", "/v1/models", b"", 400, "Missing model name"),
    "d3": ("GET", "/v1/models/foo:predict", b"", 400, "Malformed request"),
    "d4": ("POST", "/v1/models/foo/version/50:regress", GOOD, 400, "Malformed request"),
    "d5": (
        "POST",
        "/v1/models/foo/versions/18446744073709551615:regress",
        GOOD,
        400,
        "Failed to convert version",
    ),
    "d7": ("POST", "/v1/models/foo:predict", GOOD, 404, "Servable not found"),
    "d7-version": ("POST", "/v1/models/half/versions/50:predict", GOOD, 404, "Specific(half, 50)"),
    "d8": ("POST", PREDICT, b"instances = [1, 2]", 400, "JSON Parse error: Invalid value"),
    "d9": ("POST", PREDICT, b'{"instances":["x","y"]}', 400, "not of expected type: float"),
    "d10": (
        "POST",
        "/v1/models/half/labels/unknown:predict",
        b'{"instances":["x","y"]}',
        400,
        "Unrecognized servable version label",
    ),
    "d21-query": (
        "POST",
        f"{PREDICT}?query=value",
        GOOD,
        400,
        f"Malformed request: POST {PREDICT}?",
    ),
}


@contextmanager
def rest_port(models: SavedModels, config: PlaneConfig) -> Iterator[str]:
    """The address of a plane with the model `half`."""
    plane = NativePlane(config)
    half.load(plane, models, 123)
    half.publish(plane, models, 123)
    address = plane.start().rest
    assert address
    yield address
    assert plane.drain(5)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said(serving: Any, case: str) -> None:
    method, path, body, status, message = REFUSED[case]
    reply = ask(serving.rest, method, path, body)
    assert (reply.status, message in reply.error) == (status, True), reply.error
    assert reply.headers.keys() == {"content-type", "content-length", "date"}
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/statuspage", "/index"])
def test_d6_other_paths_are_none_of_the_api(serving: Any, path: str) -> None:
    reply = ask(serving.rest, "GET", path)
    assert (reply.status, reply.headers["content-type"]) == (404, "text/html")


def test_d17_names_and_labels_may_have_any_character(saved_models: SavedModels) -> None:
    plane = NativePlane(PlaneConfig(rest_port=0))
    folder = saved_models.version("half", 123)
    plane.load(ServableId(STRANGE, 123), folder)
    plane.publish(
        {STRANGE: {123: folder}},
        {STRANGE: {STRANGE: 123}},
        {STRANGE: [VersionStatus(123, State.AVAILABLE)]},
    )
    address = plane.start().rest
    assert address
    written = quote(STRANGE, safe="")
    for path in (f"/v1/models/{written}", f"/v1/models/{written}/labels/{written}"):
        assert ask(address, "POST", f"{path}:predict", GOOD).json == ANSWER
        assert ask(address, "GET", path).json["model_version_status"][0]["version"] == "123"
        metadata = ask(address, "GET", f"{path}/metadata").json
        assert metadata["model_spec"]["name"] == STRANGE
    assert plane.drain(5)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "my_gzip", "identity, gzip"])
def test_d18_a_body_is_inflated_when_its_encoding_names_gzip(serving: Any, encoding: str) -> None:
    headers = {"Content-Encoding": encoding}
    assert ask(serving.rest, "POST", PREDICT, gzip.compress(GOOD), headers).json == ANSWER
    parts = gzip.compress(GOOD[:7]) + gzip.compress(GOOD[7:])
    assert ask(serving.rest, "POST", PREDICT, parts, headers).json == ANSWER


@pytest.mark.parametrize(
    "body",
    [
        b"abcde",
        GOOD,
        gzip.compress(GOOD)[:-1],
        gzip.compress(GOOD)[:-12],
        gzip.compress(GOOD) + b"x",
    ],
    ids=["junk", "plain", "without-its-last-byte", "cut-off", "with-something-behind"],
)
def test_d19_what_is_no_gzip_is_refused(serving: Any, body: bytes) -> None:
    reply = ask(serving.rest, "POST", PREDICT, body, {"Content-Encoding": "gzip"})
    assert reply.status == 400
    assert "The request body is no gzip, as its Content-Encoding says: " in reply.error


def test_d20_a_large_body_arrives_complete(serving: Any) -> None:
    text = os.urandom(2**19).hex()
    body = json.dumps({"signature_name": "string", "inputs": [text]}).encode()
    headers = {"Content-Encoding": "gzip"}
    reply = ask(serving.rest, "POST", "/v1/models/echo:predict", gzip.compress(body), headers)
    assert text in reply.body.decode()


def test_a_get_without_a_body_may_name_gzip(serving: Any) -> None:
    assert ask(serving.rest, "GET", "/v1/models/half", None, {"Content-Encoding": "gzip"}).json


def test_what_comes_of_a_small_body_has_limits(saved_models: SavedModels) -> None:
    headers = {"Content-Encoding": "gzip"}
    limits = Limits(max_message_bytes=64 << 20, max_bytes_in_flight=80 << 20)
    with rest_port(saved_models, PlaneConfig(rest_port=0, limits=limits)) as address:
        for size, message in [
            (20 << 20, "becomes more than 200 times as large when it is inflated"),
            (65 << 20, "The request body "),
        ]:
            reply = ask(address, "POST", PREDICT, gzip.compress(b" " * size), headers)
            assert (reply.status, message in reply.error) == (413, True), reply.error
        spaces = gzip.compress(b" " * (10 << 20) + GOOD)
        assert ask(address, "POST", PREDICT, spaces, headers).json == ANSWER


def test_what_comes_of_a_body_counts_as_under_way(saved_models: SavedModels) -> None:
    limits = Limits(max_bytes_in_flight=1 << 20)
    with rest_port(saved_models, PlaneConfig(rest_port=0, limits=limits)) as address:
        headers = {"Content-Encoding": "gzip"}
        reply = ask(address, "POST", PREDICT, gzip.compress(b" " * (2 << 20)), headers)
        assert reply.status == 429
        # What was taken is given back.
        for _ in range(5):
            body = gzip.compress(b" " * (900 << 10) + GOOD)
            assert ask(address, "POST", PREDICT, body, headers).json == ANSWER


CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, GET",
    "access-control-allow-headers": "Content-Type",
}


def cors(reply: Reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name.startswith("access-")}


def test_pages_of_other_origins_may_read_answers_where_that_is_allowed(
    serving: Any, saved_models: SavedModels
) -> None:
    with rest_port(saved_models, PlaneConfig(rest_port=0, rest_cors=True)) as address:
        for reply in (
            ask(address, "POST", PREDICT, GOOD),
            ask(address, "POST", PREDICT, b""),
            ask(address, "GET", "/v1/models/nobody"),
            ask(address, "PUT", "/v1/foo"),
        ):
            assert cors(reply) == CORS
        assert cors(ask(address, "GET", "/index")) == {}
    assert cors(ask(serving.rest, "POST", PREDICT, GOOD)) == {}


@pytest.mark.parametrize("allowed", [False, True])
def test_a_preflight_is_answered_by_its_origin(saved_models: SavedModels, allowed: bool) -> None:
    with rest_port(saved_models, PlaneConfig(rest_port=0, rest_cors=allowed)) as address:
        for origin, status in [
            ({"Origin": "http://a.b"}, 200),
            ({"Origin": "https://a.b:1"}, 200),
            ({"Origin": "null"}, 400),
            ({}, 400),
        ]:
            reply = ask(address, "OPTIONS", PREDICT, None, origin)
            assert (reply.status, reply.body) == (status, b"")
            assert reply.headers["content-type"] == "text/html; charset=ISO-8859-1"
            assert cors(reply) == (CORS if allowed else {})
