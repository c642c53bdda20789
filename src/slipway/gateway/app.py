"""The Flask app: a route for each handler, and what tells how it is and what it does."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask, Request, Response, g, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from slipway.arrays import Arrays
from slipway.errors import Code, ConfigError, ServingError
from slipway.gateway.answers import JSON, json_text, respond
from slipway.gateway.config import GatewayConfig
from slipway.gateway.handler import Handler
from slipway.gateway.locality import is_local
from slipway.gateway.metrics import CONTENT_TYPE, Metrics
from slipway.gateway.openapi import describe
from slipway.gateway.predict import Models
from slipway.gateway.problems import handle_problems, problem, request_id
from slipway.gateway.project import load_gateway
from slipway.gateway.reading import read_inputs
from slipway.gateway.route import Route
from slipway.gateway.try_it import FILES, page_file
from slipway.gateway.upstreams import Upstreams
from slipway.gateway.values import Decoder

_OWN = {"/healthz", "/readyz", "/metrics", "/openapi.json", *FILES}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_READY_S = 1.0
"""How long a server may take to say whether it has a model."""


def create_app(
    config: GatewayConfig | str | os.PathLike[str] = "slipway.toml", *, models: Models | None = None
) -> Flask:
    """Return a Flask app with the routes of a gateway, by default those of ./slipway.toml.

    It is an app like any other: add routes of your own, before-request hooks, error handlers.
    Handlers are prepared here, and connections opened by the first request of a process, so it may
    be made in a Gunicorn master (`--preload`). `models` answers in place of the upstreams, in
    tests. Raises ConfigError.
    """
    gateway = _gateway(config, models)
    app = Flask("slipway.gateway", static_folder=None)
    limits = gateway.config.limits
    app.config["MAX_CONTENT_LENGTH"] = limits.max_body_bytes
    # The fields of a form together are as large as the body at most.
    app.config["MAX_FORM_MEMORY_SIZE"] = limits.max_body_bytes
    app.before_request(gateway.begin)
    app.after_request(gateway.finish)
    handle_problems(app)
    app.register_blueprint(gateway.blueprint("slipway"))
    return app


def create_blueprint(
    config: GatewayConfig | str | os.PathLike[str] = "slipway.toml",
    *,
    name: str = "slipway",
    models: Models | None = None,
) -> Blueprint:
    """Return the same routes as a blueprint, to mount in an app that is there already.

    `app.register_blueprint(create_blueprint(), url_prefix="/models")`. Limits, failures and counts
    are those of `create_app`, for these routes alone. Raises ConfigError.
    """
    gateway = _gateway(config, models)
    blueprint = gateway.blueprint(name)
    blueprint.before_request(gateway.limit)
    blueprint.before_request(gateway.begin)
    blueprint.after_request(gateway.finish)
    handle_problems(blueprint)
    return blueprint


def _gateway(config: GatewayConfig | str | os.PathLike[str], models: Models | None) -> "_Gateway":
    if not isinstance(config, GatewayConfig):
        config = load_gateway(Path(config))
    try:
        gateway = _Gateway(config, models or Upstreams(config.upstreams))
    except ValueError as error:
        raise ConfigError(f"upstreams: {error}") from error
    gateway.prepare()
    return gateway


class _CountedModels:
    """Counts what models answer."""

    def __init__(self, models: Models, metrics: Metrics) -> None:
        self._models = models
        self._metrics = metrics

    def predict(self, model: str, inputs: Mapping[str, Any], **settings: Any) -> Arrays:
        begin = time.perf_counter()
        code = Code.UNKNOWN
        try:
            outputs = self._models.predict(model, inputs, **settings)
            code = Code.OK
        except ServingError as error:
            code = error.code
            raise
        finally:
            self._metrics.count_call(model, code.name, time.perf_counter() - begin)
        return outputs

    def unready_reason(self, model: str, **settings: Any) -> str | None:
        return self._models.unready_reason(model, **settings)


class _Gateway:
    """The state of an app: its routes, its models and its counts."""

    def __init__(self, config: GatewayConfig, models: Models) -> None:
        self.config = config
        self._routes = [Route(handler) for handler in config.handlers]
        self._metrics = Metrics()
        self._models = _CountedModels(models, self._metrics)
        self._decoder = Decoder(config.limits)
        _check(self._routes)
        self._methods = _METHODS.union(*(route.handler.methods for route in self._routes))

    def prepare(self) -> None:
        """Have handlers load what they share."""
        handlers = [route.handler for route in self._routes]
        if all(type(handler).prepare is Handler.prepare for handler in handlers):
            return
        folder = self.config.run_folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"the run folder {folder} cannot be made: {error.strerror}"
            ) from error
        for handler in handlers:
            handler.prepare(folder)

    def blueprint(self, name: str) -> Blueprint:
        """Return the routes, and those that tell of them."""
        blueprint = Blueprint(name, __name__)
        for number, route in enumerate(self._routes):
            blueprint.add_url_rule(
                route.handler.route,
                endpoint=f"route_{number}",
                view_func=self._view(route),
                methods=list(route.handler.methods),
            )
        blueprint.add_url_rule("/healthz", "healthz", _health)
        blueprint.add_url_rule("/readyz", "readyz", self._readiness)
        pages = {"/metrics": self._metrics_text, "/openapi.json": self._description}
        pages |= {path: partial(page_file, path) for path in FILES}
        for path, view in pages.items():
            endpoint = path.removeprefix("/").replace(".", "_")
            blueprint.add_url_rule(path, endpoint, self._for_operators(view))
        return blueprint

    def limit(self) -> None:
        """Set the limits of the current request; an app of ours has them in its configuration."""
        limits = self.config.limits
        request.max_content_length = limits.max_body_bytes
        request.max_form_memory_size = limits.max_body_bytes

    def begin(self) -> None:
        g.slipway_begin = time.perf_counter()

    def finish(self, response: BaseResponse) -> BaseResponse:
        response.headers["X-Request-ID"] = request_id()
        response.headers["X-Content-Type-Options"] = "nosniff"
        seconds = time.perf_counter() - g.get("slipway_begin", time.perf_counter())
        current = _request()
        rule = current.url_rule.rule if current.url_rule else ""
        # Clients may name any: each would be counted by itself, for ever.
        method = current.method if current.method in self._methods else "other"
        self._metrics.count_request(rule, method, response.status_code, seconds)
        return response

    def _view(self, route: Route) -> Callable[..., BaseResponse]:
        def view(**_: str) -> BaseResponse:
            values = read_inputs(route.parameters, _request(), self._decoder)
            try:
                return respond(route.answer(self._models, values, self.config.timeout_s))
            except KeyboardInterrupt:
                raise
            except Exception as error:
                # What a model says of its inputs comes without a line of the handler's own.
                error.add_note(f"in {route.handler!r}")
                raise
            except BaseException as error:
                # It would end the worker, and with it the requests of its other threads.
                raise RuntimeError(f"{route.handler!r} raised {type(error).__name__}") from error

        return view

    def _readiness(self) -> Response:
        unready = self._unready()
        if not unready:
            return _health()
        if self._may_look():
            return problem(503, "; ".join(unready.values()))
        return problem(503, f"models that do not answer yet: {', '.join(unready)}")

    def _unready(self) -> dict[str, str]:
        """Return what keeps the routes from answering, by model; it names servers."""
        wanted: dict[tuple[str, int | None, str | None], None] = {}
        for route in self._routes:
            handler = route.handler
            if handler.model:
                wanted[handler.model, handler.version, handler.label] = None
            for name in handler.needs:
                wanted[name, None, None] = None
        unready: dict[str, str] = {}
        for name, version, label in wanted:
            reason = self._models.unready_reason(
                name, version=version, label=label, timeout_s=_READY_S
            )
            if reason:
                unready[name] = f"{unready[name]}; {reason}" if name in unready else reason
        return unready

    def _metrics_text(self) -> Response:
        return Response(self._metrics.text(), content_type=CONTENT_TYPE)

    def _description(self) -> Response:
        # The path has the prefix of a blueprint, the root that of a server in front of the app.
        prefix = request.script_root + request.path.removesuffix("/openapi.json")
        text = json_text(describe(self._routes, quote(prefix), self.config.limits))
        return Response(text, content_type=JSON)

    def _may_look(self) -> bool:
        return self.config.open_pages or is_local(request)

    def _for_operators(self, view: Callable[[], Response]) -> Callable[[], ResponseReturnValue]:
        """Return a view that only this machine may see, unless the configuration opens it."""

        def guarded() -> ResponseReturnValue:
            if self._may_look():
                return view()
            return problem(
                403,
                f"{request.path} answers callers of this machine only; open_pages = true in the "
                "[gateway] section of slipway.toml opens it",
            )

        return guarded


def _request() -> Request:
    """Return the current request, which flask's `request` looks up each time it is used."""
    current: Request = request._get_current_object()  # type: ignore[attr-defined]
    return current


def _health() -> Response:
    return Response(json_text({"status": 0}), content_type=JSON)


def _check(routes: Sequence[Route]) -> None:
    """Refuse handlers that cannot all be routes of one app. Raises ConfigError."""
    taken: dict[tuple[str, str], Route] = {}
    for route in routes:
        handler = route.handler
        if not handler.route.startswith("/"):
            raise ConfigError(
                f"{handler!r} must have a route that begins with /, such as /predict; "
                f"found {handler.route!r}"
            )
        if handler.route in _OWN:
            raise ConfigError(f"{handler!r} has a route that the gateway has itself")
        for method in handler.methods:
            if (other := taken.setdefault((handler.route, method), route)) is not route:
                raise ConfigError(
                    f"{handler!r} and {other.handler!r} both answer {method} {handler.route}"
                )
