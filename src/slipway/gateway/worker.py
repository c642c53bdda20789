"""Gunicorn's worker of threads, as a gateway needs it."""

import socket
import struct
from typing import Any

from gunicorn.http import errors

from slipway.gateway.draining import DrainingWorker
from slipway.gateway.refusals import LONGEST_PAUSE_S, RefusingWorker


class GatewayWorker(RefusingWorker, DrainingWorker):
    """Threads that answer; what is no HTTP request gets JSON too, and the status that it is."""

    def handle(self, conn: Any) -> Any:
        """Answer a request, and those that came with the rest of its body.

        A connection that goes on waits until there is more to read from it; what has been read
        already would wait with it.
        """
        # Gunicorn waits for the rest of a request as long as the client likes, in a thread.
        wait = struct.pack("ll", LONGEST_PAUSE_S, 0)
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


def _has_read_ahead(conn: Any) -> bool:
    return bool(conn.parser.unreader.buf.getbuffer().nbytes)
