"""The app around handlers: its answers, its failures, what it tells of itself, and to whom."""

import json
import logging
from asyncio import CancelledError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask, Response, got_request_exception, request
from flask.testing import FlaskClient
from PIL import Image as PillowImage

from slipway import errors
from slipway.errors import BadInputError, ConfigError, ServingError
from slipway.gateway import (
    Content,
    GatewayConfig,
    Handler,
    Predict,
    create_app,
    create_blueprint,
    handler,
)
from slipway.gateway.problems import INPUT_STATUS, MODEL_STATUS
from slipway.testing import FakeModels
from tests.gateway.conftest import MakeApp

Ask = Callable[..., FlaskClient]


def answering(answer: Any) -> Handler:
    @handler("/answer", methods=("GET",))
    def answers(predict: Predict) -> Any:
        return answer() if callable(answer) else answer

    return answers


def failing(error: BaseException) -> Handler:
    def fail() -> None:
        raise error

    return answering(fail)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"labels": "好"}, '{"labels":"好"}'),
        (None, "null"),
        ("text", '"text"'),
        (np.array([[1, 2]]), "[[1,2]]"),
        (np.array([0.1, 0.98687210], np.float32), "[0.1,0.9868721]"),
        (np.float32(0.1), "0.1"),
        (np.int64(3), "3"),
        (np.bool_(True), "true"),
        ({"label": np.array([b"POS"], object)}, '{"label":["POS"]}'),
        (b"POS", '"POS"'),
    ],
)
def test_an_answer_becomes_json(ask: Ask, answer: Any, found: str) -> None:
    response = ask(answering(answer)).get("/answer")
    assert response.text == found
    assert response.content_type == "application/json"


def test_a_picture_becomes_a_png(ask: Ask) -> None:
    response = ask(answering(PillowImage.new("L", (4, 3)))).get("/answer")
    assert response.content_type == "image/png"
    assert response.data.startswith(b"\x89PNG")


def test_bytes_have_the_type_that_is_given(ask: Ask) -> None:
    response = ask(answering(Content(b"\xff", "audio/wav", {"X-Rate": "8"}))).get("/answer")
    assert (response.data, response.content_type) == (b"\xff", "audio/wav")
    assert response.headers["X-Rate"] == "8"


def test_a_response_of_flask_stays_as_it_is(ask: Ask) -> None:
    response = ask(answering(lambda: Response("made", 201, mimetype="text/x"))).get("/answer")
    assert (response.status_code, response.text, response.mimetype) == (201, "made", "text/x")


@pytest.mark.parametrize(
    "answer", [float("nan"), np.array([np.inf]), b"\xff", object(), {1j: 2}, ({}, 201)]
)
def test_an_answer_that_json_does_not_have_is_a_mistake(ask: Ask, answer: Any) -> None:
    assert ask(answering(answer)).get("/answer").status_code == 500


def test_every_error_of_input_has_a_status() -> None:
    assert set(INPUT_STATUS) == set(errors.InputError.__subclasses__())


@pytest.mark.parametrize("kind", INPUT_STATUS)
def test_an_error_of_input_is_answered_with_its_text(
    ask: Ask, kind: type[errors.InputError]
) -> None:
    response = ask(failing(kind("x is wrong"))).get("/answer")
    assert response.status_code == INPUT_STATUS[kind]
    assert response.json == {"status": -1, "error": "x is wrong"}


@pytest.mark.parametrize("kind", ServingError.__subclasses__())
def test_an_error_of_a_model_server_says_nothing_of_it(ask: Ask, kind: type[ServingError]) -> None:
    response = ask(failing(kind("/secret/path failed"))).get("/answer")
    status, _ = MODEL_STATUS.get(kind, (500, ""))
    assert response.status_code == status
    assert "secret" not in response.text
    assert ("Retry-After" in response.headers) == (status == 503)


@pytest.mark.parametrize(
    "error", [ValueError("secret"), SystemExit(3), RecursionError(), CancelledError()]
)
def test_a_mistake_in_a_handler_is_an_id_that_the_log_explains(
    ask: Ask, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "slipway.gateway"):
        client = ask(failing(error))
        response = client.get("/answer")
    assert response.status_code == 500
    assert "secret" not in response.text
    identity = response.headers["X-Request-ID"]
    assert response.json
    assert identity in response.json["error"]
    [record] = [record for record in caplog.records if identity in record.getMessage()]
    assert record.exc_info
    assert "<answers of /answer>" in caplog.text
    assert type(error).__name__ in caplog.text


@pytest.mark.parametrize(
    ("given", "is_kept"), [("a-b_c.1", True), ("x" * 65, False), ("a b", False), ("", False)]
)
def test_a_request_keeps_the_id_that_it_comes_with(ask: Ask, given: str, is_kept: bool) -> None:
    client = ask(answering(1))
    found = client.get("/answer", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert (found == given) is is_kept


def test_what_is_not_there_says_so(ask: Ask) -> None:
    client = ask(answering(1))
    missing = client.get("/other")
    assert (missing.status_code, missing.json) == (
        404,
        {"status": -1, "error": "there is no /other here"},
    )
    method = client.post("/answer")
    assert method.status_code == 405
    assert method.json
    assert method.json["error"] == "/answer does not take POST, only GET, HEAD, OPTIONS"
    assert method.headers["Allow"]


def test_it_is_healthy_without_models_and_ready_with_those_it_needs(ask: Ask) -> None:
    @handler("/a", model="one", needs=("two",))
    def asks(predict: Predict) -> Any:
        return None

    client = ask(asks, models={"one": dict})
    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert (response.status_code, response.json) == (
        503,
        {"status": -1, "error": "two is not loaded"},
    )
    elsewhere = client.get("/readyz", environ_overrides={"REMOTE_ADDR": "10.0.0.7"})
    assert elsewhere.json == {"status": -1, "error": "models that do not answer yet: two"}
    assert ask(asks, models={"one": dict, "two": dict}).get("/readyz").json == {"status": 0}


def test_requests_and_calls_are_counted(ask: Ask) -> None:
    @handler("/half/<int:number>", methods=("GET",), model="half")
    def half(predict: Predict, number: int) -> Any:
        return predict({"x": number})

    client = ask(half, models={"half": lambda inputs: {"y": inputs["x"]}})
    client.get("/half/1")
    client.get("/half/2")
    text = client.get("/metrics").text
    route = 'route="/half/<int:number>"'
    assert f'slipway_gateway_requests_total{{method="GET",{route},status="200"}} 2.0' in text
    assert f"slipway_gateway_request_seconds_count{{{route}}} 2.0" in text
    assert 'slipway_gateway_model_calls_total{code="OK",model="half"} 2.0' in text


@pytest.mark.parametrize(
    ("remote", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 200),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1, 10.0.0.7"}, 403),
        ("127.0.0.1", {"X-Real-IP": "10.0.0.7"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "localhost"}, 403),
        ("127.0.0.1", {"Host": "localhost:5000"}, 200),
        ("127.0.0.1", {"Host": "[::1]:5000"}, 200),
        ("127.0.0.1", {"Host": "rebound.example:5000"}, 403),
        ("127.0.0.1", {"Host": "127.0.0.1.rebound.example"}, 403),
        ("10.0.0.7", {}, 403),
        ("10.0.0.7", {"X-Forwarded-For": "127.0.0.1"}, 403),
    ],
)
def test_pages_of_operators_answer_this_machine_only(
    make_app: MakeApp, remote: str, headers: dict[str, str], status: int
) -> None:
    environ = {"REMOTE_ADDR": remote}
    client = make_app(answering(1)).test_client()
    response = client.get("/metrics", headers=headers, environ_overrides=environ)
    assert response.status_code == status
    opened = make_app(answering(1), open_pages=True).test_client()
    response = opened.get("/metrics", headers=headers, environ_overrides=environ)
    assert response.status_code == 200


def test_people_extend_the_app_as_any_other(make_app: MakeApp) -> None:
    app = make_app(answering(1), failing_route())

    @app.get("/own")
    def own() -> str:
        return "own"

    @app.before_request
    def authenticate() -> Any:
        return None if request.headers.get("Authorization") else ("who are you?", 401)

    @app.errorhandler(BadInputError)
    def bad(error: BadInputError) -> Any:
        return f"own words: {error}", 422

    client = app.test_client()
    assert client.get("/own").status_code == 401
    client.environ_base["HTTP_AUTHORIZATION"] = "me"
    assert client.get("/own").text == "own"
    assert client.get("/answer").json == 1
    failed = client.get("/bad")
    assert (failed.status_code, failed.text) == (422, "own words: bad")


def failing_route() -> Handler:
    @handler("/bad", methods=("GET",))
    def bad(predict: Predict) -> Any:
        raise BadInputError("bad")

    return bad


def test_a_blueprint_lives_in_the_app_of_others(tmp_path: Path) -> None:
    app = Flask("own")
    config = GatewayConfig([answering(1), failing_route()], run_folder=tmp_path)
    app.register_blueprint(create_blueprint(config, models=FakeModels({})), url_prefix="/models")
    client = app.test_client()
    assert client.get("/models/answer").json == 1
    assert client.get("/models/bad").json == {"status": -1, "error": "bad"}
    assert client.get("/models/healthz").status_code == 200
    # What is not ours is answered as the app does.
    assert client.get("/nothing").content_type.startswith("text/html")


class Empty(Handler):
    def preprocess(self) -> dict[str, Any]:
        return {}


class Late(Handler):
    async def preprocess(self) -> dict[str, Any]:  # type: ignore[override]
        return {}


def test_a_folder_is_made_for_handlers_that_keep_files_alone(make_app: MakeApp) -> None:
    make_app(Empty(route="/a"))


def test_errors_that_are_derived_from_ours_have_their_status(ask: Ask) -> None:
    class NoWordsError(BadInputError):
        pass

    class BusyError(errors.UnavailableError):
        pass

    assert ask(failing(NoWordsError("none"))).get("/answer").json == {
        "status": -1,
        "error": "none",
    }
    assert ask(failing(BusyError("no"))).get("/answer").status_code == 503
    assert ask(failing(errors.InputError("odd"))).get("/answer").status_code == 400


def test_what_watches_an_app_learns_of_mistakes(make_app: MakeApp) -> None:
    app, seen = make_app(failing(ValueError("secret"))), []

    def watch(sender: Flask, exception: Exception) -> None:
        seen.append((sender, str(exception)))

    with got_request_exception.connected_to(watch, app):
        app.test_client().get("/answer")
    assert seen == [(app, "secret")]


def test_a_method_of_a_client_s_own_is_counted_with_all_others(ask: Ask) -> None:
    client = ask(answering(1))
    client.open("/answer", method="ZAP")
    text = client.get("/metrics").text
    assert "ZAP" not in text
    assert 'method="other"' in text


def test_handlers_are_prepared_once_before_the_first_request(tmp_path: Path) -> None:
    class Prepared(Handler):
        route = "/prepared"
        folders: list[Path] = []  # noqa: RUF012

        def prepare(self, run_folder: Path) -> None:
            self.folders.append(run_folder)

        def preprocess(self) -> dict[str, Any]:
            return {}

    folder = tmp_path / "run"
    create_app(GatewayConfig([Prepared()], run_folder=folder), models=FakeModels({}))
    assert Prepared.folders == [folder]
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("handlers", "message"),
    [
        ([Empty()], "must have a route that begins with /"),
        ([Empty(route="predict")], "found 'predict'"),
        ([answering(1), answering(2)], "both answer GET /answer"),
        ([Empty(route="/metrics")], "a route that the gateway has itself"),
        ([Handler(route="/a")], "has neither preprocess nor handle"),
        ([Empty(route="/a", methods="POST")], r'methods must be several, such as \("POST",\)'),
        ([Empty(route="/a", version=1, label="stable")], "a version and a label"),
        ([Late(route="/a")], "preprocess is async"),
        ([Empty], "Empty is a class: make a handler of it, Empty()"),
    ],
)
def test_routes_that_cannot_be_are_refused(
    make_app: MakeApp, handlers: list[Handler], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_app(*handlers)


def test_text_of_a_failure_is_json_for_every_path(ask: Ask) -> None:
    response = ask(answering(1)).get("/%ff")
    assert json.loads(response.text)["status"] == -1
