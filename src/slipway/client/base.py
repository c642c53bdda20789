"""What both clients are made of."""

import time
from os import PathLike
from pathlib import Path

from slipway.client.native import Connection
from slipway.signatures import Signature

TIMEOUT_S = 10.0
MAX_MESSAGE_BYTES = 256 * 2**20

File = str | PathLike[str]

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
        ca_file: File | None = None,
        cert_file: File | None = None,
        key_file: File | None = None,
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._connection = Connection(
            address,
            max_message_bytes=max_message_bytes,
            ca_file=_content(ca_file),
            cert_file=_content(cert_file),
            key_file=_content(key_file),
        )
        self._signatures: dict[SignatureKey, Signature] = {}

    def _end(self, timeout_s: float | None) -> float:
        """Return when a call that begins now must have ended, by the monotonic clock."""
        return time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)

    def close(self) -> None:
        """Give up the connection; calls under way are still answered."""
        self._connection.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r}, timeout_s={self._timeout_s:g})"


def _content(file: File | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()
