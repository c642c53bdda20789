"""A data plane in plain Python: the reference for the seam, and the double that tests run on.

It needs no build and no TensorFlow. Models are Python functions over arrays; requests come over
REST only, with the routes, statuses and JSON of the native plane in the cases that both are tested
with. It is not made to be fast, and does not bound what it reads.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from slipway.dataplane.base import Addresses, PlaneConfig
from slipway.errors import (
    Code,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    ServingError,
)
from slipway.servables import ServableId, VersionStatus

Arrays = dict[str, np.ndarray[Any, Any]]

_HTTP_STATUS = {
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.NOT_FOUND: 404,
    Code.INTERNAL: 500,
}

_PATH = re.compile(
    r"/v1/models/(?P<model>[^/:]+)"
    r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
    r"(?P<predict>:predict)?"
)


@dataclass(frozen=True)
class MemoryModel:
    """A function from arrays to arrays, with the dtype of each input it takes."""

    function: Callable[[Arrays], Arrays]
    inputs: Mapping[str, type[np.generic]]


@dataclass(eq=False)
class _Loaded:
    """A version from one folder, and the requests that hold it."""

    model: MemoryModel
    running: int = 0


@dataclass(frozen=True)
class _Snapshot:
    routes: Mapping[str, Mapping[int, _Loaded]]
    labels: Mapping[str, Mapping[str, int]]
    statuses: Mapping[str, Sequence[VersionStatus]]


class MemoryPlane:
    """A `DataPlane` over functions; `open_model` makes one of a version's folder."""

    def __init__(self, config: PlaneConfig, open_model: Callable[[Path], MemoryModel]) -> None:
        self._config = config
        self._open_model = open_model
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._loaded: dict[tuple[ServableId, Path], _Loaded] = {}
        self._snapshot = _Snapshot({}, {}, {})
        self._http: ThreadingHTTPServer | None = None

    def start(self) -> Addresses:
        if self._config.rest_port is None:
            return Addresses(None, None)
        handler = type("Handler", (_Handler,), {"plane": self})
        self._http = ThreadingHTTPServer((self._config.host, self._config.rest_port), handler)
        # Closing joins the threads of the requests under way.
        self._http.daemon_threads = False
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        host, port = self._http.server_address[:2]
        return Addresses(None, f"{host!s}:{port}")

    def load(self, servable: ServableId, path: Path) -> None:
        try:
            model = self._open_model(path)
        except OSError as error:
            raise NotFoundError(f"{path} is no model: {error}") from error
        with self._lock:
            if (servable, path) in self._loaded:
                raise FailedPreconditionError(f"{servable} is loaded already")
            self._loaded[servable, path] = _Loaded(model)

    def publish(
        self,
        routes: Mapping[str, Mapping[int, Path]],
        labels: Mapping[str, Mapping[str, int]],
        statuses: Mapping[str, Sequence[VersionStatus]],
    ) -> None:
        with self._lock:
            self._snapshot = _Snapshot(
                {
                    model: {
                        number: self._find(ServableId(model, number), path)
                        for number, path in versions.items()
                    }
                    for model, versions in routes.items()
                },
                {model: dict(versions) for model, versions in labels.items()},
                {
                    model: sorted(versions, key=lambda status: -status.version)
                    for model, versions in statuses.items()
                },
            )

    def describe(self, config: str) -> None:
        """Take note of nothing: REST does not show it."""

    def unload(self, servable: ServableId, path: Path) -> None:
        with self._lock:
            if (servable, path) not in self._loaded:
                raise NotFoundError(f"{servable} is not loaded")
            loaded = self._loaded[servable, path]
            routes = self._snapshot.routes.get(servable.model, {})
            if routes.get(servable.version) is loaded:
                raise FailedPreconditionError(f"{servable} still answers requests")
            # From here on it cannot be routed to again.
            del self._loaded[servable, path]
            self._idle.wait_for(lambda: loaded.running == 0)

    def drain(self, timeout_s: float) -> bool:
        http, self._http = self._http, None
        if http is None:
            return True
        http.shutdown()
        closing = threading.Thread(target=http.server_close, daemon=True)
        closing.start()
        closing.join(timeout_s)
        return not closing.is_alive()

    def _find(self, servable: ServableId, path: Path) -> _Loaded:
        if (servable, path) not in self._loaded:
            raise FailedPreconditionError(f"{servable} is not loaded")
        return self._loaded[servable, path]

    def status(self, name: str, version: int | None, label: str | None) -> dict[str, Any]:
        """Return the JSON of a status request. Raises ServingError."""
        known = self._snapshot.statuses.get(name, ())
        if version is None and label is None:
            if not known:
                raise NotFoundError(f"Could not find any versions of model {name}")
        else:
            wanted = self._labelled(name, label) if label is not None else version
            known = [status for status in known if status.version == wanted]
            if not known:
                raise NotFoundError(f"Could not find version {wanted} of model {name}")
        return {
            "model_version_status": [
                {
                    "version": str(status.version),
                    "state": status.state.value,
                    "status": {"error_code": status.code.name, "error_message": status.message},
                }
                for status in known
            ]
        }

    def predict(
        self, name: str, version: int | None, label: str | None, body: bytes
    ) -> dict[str, Any]:
        """Return the JSON of a predict request. Raises ServingError."""
        request = _parse(body)
        with self._lock:
            loaded = self._route(name, version, label)
            loaded.running += 1
        try:
            return _answer(loaded.model, request)
        finally:
            with self._lock:
                loaded.running -= 1
                self._idle.notify_all()

    def _route(self, name: str, version: int | None, label: str | None) -> _Loaded:
        if label is not None:
            version = self._labelled(name, label)
        routes = self._snapshot.routes.get(name, {})
        if version is None:
            if not routes:
                raise NotFoundError(f"Servable not found for request: Latest({name})")
            version = max(routes)
        if version not in routes:
            raise NotFoundError(f"Servable not found for request: Specific({name}, {version})")
        return routes[version]

    def _labelled(self, name: str, label: str) -> int:
        version = self._snapshot.labels.get(name, {}).get(label)
        if version is None:
            raise InvalidArgumentError(f"Unrecognized servable version label: {label}")
        return version


def _parse(body: bytes) -> dict[str, Any]:
    if not body:
        raise InvalidArgumentError("JSON Parse error: The document is empty")
    try:
        request = json.loads(body)
    except ValueError as error:
        raise InvalidArgumentError(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
        raise InvalidArgumentError("Missing 'inputs' or 'instances' key")
    return request


def _answer(model: MemoryModel, request: dict[str, Any]) -> dict[str, Any]:
    if "inputs" in request:
        outputs = _call(model, request["inputs"])
        columns = {alias: output.tolist() for alias, output in outputs.items()}
        return {"outputs": columns.popitem()[1] if len(columns) == 1 else columns}
    rows = request["instances"]
    if rows and isinstance(rows[0], dict):
        outputs = _call(model, {alias: [row[alias] for row in rows] for alias in rows[0]})
    else:
        outputs = _call(model, rows)
    if len(outputs) == 1:
        return {"predictions": outputs.popitem()[1].tolist()}
    columns = {alias: output.tolist() for alias, output in outputs.items()}
    return {"predictions": [dict(zip(columns, row)) for row in zip(*columns.values())]}


def _call(model: MemoryModel, given: Any) -> Arrays:
    if not isinstance(given, dict):
        given = {next(iter(model.inputs)): given}
    try:
        arrays = {
            alias: np.asarray(given[alias], dtype=dtype) for alias, dtype in model.inputs.items()
        }
    except KeyError as error:
        raise InvalidArgumentError(f"Missing named input: {error.args[0]}") from error
    except ValueError as error:
        raise InvalidArgumentError(f"JSON Value is not of expected type: {error}") from error
    return model.function(arrays)


class _Handler(BaseHTTPRequestHandler):
    plane: MemoryPlane
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._respond(b"")

    def do_POST(self) -> None:
        self._respond(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _respond(self, body: bytes) -> None:
        try:
            code, answer = 200, self._answer(body)
        except ServingError as error:
            code, answer = _HTTP_STATUS.get(error.code, 500), {"error": str(error)}
        payload = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        # One request a connection: a connection kept alive would hold up `drain`.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(payload)

    def _answer(self, body: bytes) -> dict[str, Any]:
        match = _PATH.fullmatch(self.path)
        if match is None or bool(match["predict"]) != (self.command == "POST"):
            raise InvalidArgumentError(f"Malformed request: {self.command} {self.path}")
        name = unquote(match["model"])
        version = None if match["version"] is None else int(match["version"])
        label = None if match["label"] is None else unquote(match["label"])
        try:
            if match["predict"]:
                return self.plane.predict(name, version, label, body)
            return self.plane.status(name, version, label)
        except ServingError:
            raise
        except Exception as error:
            raise InternalError(f"{type(error).__name__}: {error}") from error

    def log_message(self, *_args: Any) -> None:
        """Say nothing: a test has its own words."""
