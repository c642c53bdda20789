"""Gunicorn's worker, whose own refusals have the form of the gateway's."""

import socket
import struct
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from gunicorn import util
from gunicorn.http import errors

from slipway.gateway.answers import JSON, json_text
from slipway.gateway.draining import DrainingWorker

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
_LONGEST_PAUSE_S: Final = 15
"""Between two pieces of a request that a client sends."""


class GatewayWorker(DrainingWorker):
    """Threads that answer; what is no HTTP request gets JSON too, and the status that it is."""

    def handle(self, conn: Any) -> Any:
        """Answer a request, and those that came with the rest of its body.

        A connection that goes on waits until there is more to read from it; what has been read
        already would wait with it.
        """
        # Gunicorn waits for the rest of a request as long as the client likes, in a thread.
        wait = struct.pack("ll", _LONGEST_PAUSE_S, 0)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        while (goes_on := super().handle(conn)) is True and self.alive and _has_read_ahead(conn):
            pass
        return goes_on

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """Say whether a connection goes on after an answer, which reads what is left of its body.

        Where that is no HTTP nobody is to be told: the answer has been sent.
        """
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except (OSError, errors.ParseException):
            return False

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


def _has_read_ahead(conn: Any) -> bool:
    return bool(conn.parser.unreader.buf.getbuffer().nbytes)
