"""Apps with handlers and models of the test's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from slipway.gateway import GatewayConfig, Handler, create_app
from slipway.testing import FakeModels

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app(tmp_path: Path) -> MakeApp:
    """Makes an app of handlers; `models` are functions by name, and settings the config's."""

    def make(*handlers: Handler, models: Any = None, **settings: Any) -> Flask:
        config = GatewayConfig(handlers, run_folder=tmp_path / "run", **settings)
        fakes = models if isinstance(models, FakeModels) else FakeModels(models or {})
        return create_app(config, models=fakes)

    return make


@pytest.fixture
def ask(make_app: MakeApp) -> Callable[..., FlaskClient]:
    """Makes a client of such an app."""

    def make(*handlers: Handler, **settings: Any) -> FlaskClient:
        return make_app(*handlers, **settings).test_client()

    return make
