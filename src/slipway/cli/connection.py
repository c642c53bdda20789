"""The client that a command asks a server with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from slipway.errors import ConfigError

if TYPE_CHECKING:
    from slipway.client.client import Client

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Whom to believe, and who one is, over TLS."""

    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None


_HELP = {
    "ca_file": "Authorities to believe over TLS. Default: those of this machine.",
    "cert_file": "Certificate to show to a server that asks for one.",
    "key_file": "Its key, where that is not in the same file.",
}


def tls_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the options of TlsFiles, which come to it as `tls`."""

    @wraps(command)
    def called(**values: Any) -> Result:
        files = {name: values.pop(name) for name in _HELP}
        return command(**values, tls=TlsFiles(**files))

    decorated: Callable[..., Result] = called
    for name, text in reversed(_HELP.items()):
        option = click.option(
            f"--{name}", type=click.Path(path_type=Path), metavar="FILE", help=text
        )
        decorated = option(decorated)
    return decorated


@contextmanager
def connected(server: str, timeout_s: float, tls: TlsFiles) -> Iterator["Client"]:
    """Open a client of the address in `--server`. Raises ConfigError for one that is none, and for
    files that cannot be used with it.
    """
    # It brings in NumPy and the native library, which other commands do without.
    from slipway.client.client import Client

    try:
        client = Client(
            server,
            timeout_s=timeout_s,
            ca_file=tls.ca_file,
            cert_file=tls.cert_file,
            key_file=tls.key_file,
        )
    except ValueError as error:
        # What is wrong with a file begins with its name.
        about = "--" if str(error).startswith(tuple(_HELP)) else "--server: "
        raise ConfigError(f"{about}{error}") from error
    with client:
        yield client
