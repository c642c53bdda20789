"""The smallest HTTP client that a test can reason about."""

import http.client
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reply:
    """A status, headers with lower-case names, and the body as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        message: str = self.json["error"]
        return message


def ask(
    address: str,
    method: str,
    path: str,
    body: bytes | dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """Send one request over a connection of its own. A dict is sent as JSON."""
    if isinstance(body, dict):
        body = json.dumps(body, ensure_ascii=False).encode()
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        return exchange(connection, method, path, body, headers)
    finally:
        connection.close()


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """Send a request over a connection, which opens itself again when the server has closed it."""
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    names = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, names, response.read())
