"""The page that tries the routes: its files, what its browser is told, and who gets it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from slipway.gateway import GatewayConfig, Predict, create_blueprint, handler, try_it
from slipway.gateway.try_it import FILES
from slipway.testing import FakeModels

Ask = Callable[..., FlaskClient]


@handler("/route")
def route(predict: Predict, x: int) -> Any: ...


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/try", "text/html"),
        ("/try.css", "text/css"),
        ("/try.js", "text/javascript"),
        ("/try_request.js", "text/javascript"),
    ],
)
def test_its_files_have_their_types(ask: Ask, path: str, content_type: str) -> None:
    answer = ask(route).get(path)
    assert answer.status_code == 200
    assert answer.content_type == f"{content_type}; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_all_of_its_files_are_served() -> None:
    folder = Path(try_it.__file__).parent / "page"
    assert {name for name, _ in FILES.values()} == {path.name for path in folder.iterdir()}


def test_the_browser_runs_its_own_scripts_and_shows_it_in_no_frame(ask: Ask) -> None:
    headers = ask(route).get("/try").headers
    policy = dict(
        directive.split(" ", 1) for directive in headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"


def test_it_needs_nothing_from_elsewhere(ask: Ask) -> None:
    client = ask(route)
    for path in FILES:
        text = client.get(path).text
        assert "://" not in text
        assert "innerHTML" not in text
        assert " style=" not in text


@pytest.mark.parametrize("path", FILES)
def test_it_is_for_this_machine_alone(ask: Ask, path: str) -> None:
    environ = {"REMOTE_ADDR": "10.0.0.7"}
    assert ask(route).get(path, environ_overrides=environ).status_code == 403
    opened = ask(route, open_pages=True)
    assert opened.get(path, environ_overrides=environ).status_code == 200


def test_it_comes_with_a_blueprint(tmp_path: Path) -> None:
    app = Flask("own")
    config = GatewayConfig([route], run_folder=tmp_path)
    app.register_blueprint(create_blueprint(config, models=FakeModels({})), url_prefix="/models")
    client = app.test_client()
    for path in FILES:
        assert client.get(f"/models{path}").status_code == 200
        assert client.get(path).status_code == 404


def test_the_first_page_is_left_to_the_app(ask: Ask) -> None:
    assert ask(route).get("/").status_code == 404
