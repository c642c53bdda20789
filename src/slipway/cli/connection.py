"""The client that a command asks a server with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slipway.errors import ConfigError

if TYPE_CHECKING:
    from slipway.client.client import Client


@contextmanager
def connected(server: str, timeout_s: float) -> Iterator["Client"]:
    """Open a client of the address in `--server`. Raises ConfigError for one that is none."""
    # It brings in NumPy and the native library, which other commands do without.
    from slipway.client.client import Client

    try:
        client = Client(server, timeout_s=timeout_s)
    except ValueError as error:
        raise ConfigError(f"--server: {error}") from error
    with client:
        yield client
