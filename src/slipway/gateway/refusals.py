"""What a worker of Gunicorn answers to what is no HTTP request: the gateway's form of failures."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.base import Worker

from slipway.gateway.answers import JSON, json_text

LONGEST_PAUSE_S: Final = 15
"""Between two pieces of a request that a client sends."""
_STATUS: Final[Mapping[str, HTTPStatus]] = {
    "LimitRequestLine": HTTPStatus.REQUEST_URI_TOO_LONG,
    "LimitRequestHeaders": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "ExpectationFailed": HTTPStatus.EXPECTATION_FAILED,
    "UnsupportedTransferCoding": HTTPStatus.NOT_IMPLEMENTED,
}
"""By name, as versions of Gunicorn differ in what they have; others are 400."""
_MESSAGE: Final[Mapping[str, str]] = {
    "LimitRequestLine": "the URL is longer than the {line} bytes that are taken: send it by POST",
    "LimitRequestHeaders": "the headers are too many or too long: at most {fields}, of "
    "{field_size} bytes each, are taken",
}
_EXCERPT: Final = 120


class RefusingWorker(Worker):  # type: ignore[misc]
    """A worker, of threads or greenlets, that refuses what is no HTTP request in JSON."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        kind = type(exc).__name__
        status = _STATUS.get(kind, HTTPStatus.BAD_REQUEST)
        message = f"this is no HTTP request that is taken: {exc}"[:_EXCERPT]
        if kind in _MESSAGE:
            message = _MESSAGE[kind].format(
                line=self.cfg.limit_request_line,
                fields=self.cfg.limit_request_fields,
                field_size=self.cfg.limit_request_field_size,
            )
        self.log.warning("%d for %s: %s", status, addr[0] if addr else "a socket", message)
        body = json_text({"status": -1, "error": message}).encode()
        head = (
            f"HTTP/1.1 {int(status)} {status.phrase}\r\n"
            "Connection: close\r\n"
            f"Content-Type: {JSON}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + body)
        except OSError:
            self.log.debug("the client has left before it was answered")
