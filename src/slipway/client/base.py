"""What both clients are made of."""

import time

from slipway.client.native import Connection
from slipway.signatures import Signature

TIMEOUT_S = 10.0
MAX_MESSAGE_BYTES = 256 * 2**20

SignatureKey = tuple[str, int | None, str | None, str]
"""Model, version, label and name."""


class BaseClient:
    """A connection, the usual deadline, and the signatures that have been asked for."""

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float = TIMEOUT_S,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._connection = Connection(address, max_message_bytes=max_message_bytes)
        self._signatures: dict[SignatureKey, Signature] = {}

    def _end(self, timeout_s: float | None) -> float:
        """Return when a call that begins now must have ended, by the monotonic clock."""
        return time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)

    def close(self) -> None:
        """Give up the connection; calls under way are still answered."""
        self._connection.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r}, timeout_s={self._timeout_s:g})"
