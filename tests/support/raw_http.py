"""HTTP as a test writes it, byte for byte: what no client would send."""

import http.client
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.support.rest import Reply

TIMEOUT_S = 30


@contextmanager
def connection(address: str) -> Iterator[socket.socket]:
    """A connection to `host:port`."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), TIMEOUT_S) as opened:
        yield opened


def send(address: str, *pieces: bytes, method: str = "", hangs_up: bool = False) -> Reply:
    """Send bytes over a connection of their own, and return the answer.

    What the server no longer wants is not sent. `hangs_up` ends the sending half, as a client does
    that is gone; `method` is that of the request, where the length of the answer depends on it.
    """
    with connection(address) as opened:
        _send(opened, pieces)
        if hangs_up:
            opened.shutdown(socket.SHUT_WR)
        return receive(opened, method)


def receive(opened: socket.socket, method: str = "") -> Reply:
    """Return the next answer on a connection; those of status 1xx are passed over."""
    response = http.client.HTTPResponse(opened, method=method or None)
    try:
        response.begin()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, names, response.read())
    finally:
        response.close()


def _send(opened: socket.socket, pieces: Iterable[bytes]) -> None:
    try:
        for piece in pieces:
            opened.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        # It has answered before it read all, which is the answer to look at.
        pass


def request(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request; its Content-Length is that of the body where no header says otherwise."""
    lines = [f"{method} {target} HTTP/1.1", "Host: gateway", *headers]
    names = {header.partition(":")[0].lower() for header in headers}
    if body and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunk(data: bytes) -> bytes:
    """Return one chunk of a body whose Transfer-Encoding is chunked."""
    return b"%x\r\n%s\r\n" % (len(data), data)
