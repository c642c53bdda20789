"""What a client is told when a request fails: one table, one form.

{"status": -1, "error": "what is wrong and what would be right"}
"""

import logging
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    got_request_exception,
    request,
)
from werkzeug.exceptions import HTTPException

from slipway.errors import (
    AbortedError,
    BadInputError,
    DeadlineExceededError,
    InputError,
    InputTooLargeError,
    NotFoundError,
    ResourceExhaustedError,
    ServingError,
    UnavailableError,
    UnsupportedInputError,
    UrlTooLongError,
)
from slipway.gateway.answers import JSON, json_text

logger = logging.getLogger("slipway.gateway")

INPUT_STATUS: Final[Mapping[type[InputError], int]] = {
    BadInputError: 400,
    InputTooLargeError: 413,
    UrlTooLongError: 414,
    UnsupportedInputError: 415,
}
MODEL_STATUS: Final[Mapping[type[ServingError], tuple[int, str]]] = {
    UnavailableError: (503, "the model server does not answer now: try again"),
    NotFoundError: (503, "the model is not loaded now: try again"),
    AbortedError: (503, "the model server was interrupted: try again"),
    ResourceExhaustedError: (503, "the model server has too much to do: try again"),
    DeadlineExceededError: (504, "the model did not answer in time"),
}
"""Other codes mean that the handler asked for what the model cannot do: those are mistakes."""
RETRY_AFTER_S: Final = 1
_LONGEST_PATH: Final = 100
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id() -> str:
    """Return the id of the current request: the one it came with in X-Request-ID, or a new one."""
    if "slipway_request_id" not in g:
        given = request.headers.get("X-Request-ID", "")
        g.slipway_request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    identity: str = g.slipway_request_id
    return identity


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response for a failure. A client that may try again is told when."""
    body = json_text({"status": -1, "error": message})
    response = Response(body, status=status, content_type=JSON, headers=dict(headers or {}))
    if status == 503:
        response.headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return response


def handle_problems(app: Flask | Blueprint) -> None:
    """Have an app, or the routes of a blueprint, answer failures by the table.

    An app may replace each answer: `app.register_error_handler(BadInputError, ...)`.
    """
    app.register_error_handler(InputError, _input_problem)
    app.register_error_handler(ServingError, _model_problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, mistake)


def _known(error: Exception, table: Mapping[Any, object]) -> Any:
    """Return the class of an error that a table has: its own, or one that it is derived from."""
    return next((kind for kind in type(error).__mro__ if kind in table), None)


def _input_problem(error: InputError) -> Response:
    kind = _known(error, INPUT_STATUS)
    return problem(INPUT_STATUS[kind] if kind else 400, str(error))


def _model_problem(error: ServingError) -> Response:
    kind = _known(error, MODEL_STATUS)
    if kind is None:
        return mistake(error)
    status, message = MODEL_STATUS[kind]
    logger.warning("%s %s: %s: %s", request.method, _logged_path(), error.code.name, error)
    return problem(status, message)


def _http_problem(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    headers = {
        name: value
        for name, value in error.get_headers()
        if name.lower() not in ("content-type", "content-length")
    }
    return problem(status, _sentence(error), headers)


def _sentence(error: HTTPException) -> str:
    if error.code == 404:
        return f"there is no {_excerpt(request.path)} here"
    if error.code == 405 and (allowed := getattr(error, "valid_methods", None)):
        methods = ", ".join(sorted(allowed))
        return f"{_excerpt(request.path)} does not take {request.method}, only {methods}"
    if error.code == 413 and (limit := request.max_content_length) is not None:
        return f"the body is larger than the {limit} bytes that are taken"
    return error.description or error.name


def _excerpt(path: str) -> str:
    return path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}..."


def _logged_path() -> str:
    """Return the path of the request as one word: it may have escaped line ends."""
    return quote(request.path)


def mistake(error: BaseException) -> Response:
    """Return the answer for a mistake in our own code: an id by which the log has the traceback."""
    identity = request_id()
    logger.error(
        "request %s failed: %s %s", identity, request.method, _logged_path(), exc_info=error
    )
    # What watches an app of Flask listens to this.
    got_request_exception.send(current_app._get_current_object(), exception=error)  # type: ignore[attr-defined]
    return problem(500, f"this request failed here; the log has it under the id {identity}")
