"""Files with an SSLConfig, as TensorFlow Serving has it: who a port is, and whom it answers."""

from pathlib import Path

from slipway.config.message_file import read_message_file
from slipway.dataplane.base import Tls
from slipway.dataplane.native import check_tls
from slipway.errors import ConfigError


def read_ssl_file(path: Path) -> Tls:
    """Return what a file says, checked: its key and its certificates can be used, and belong
    together.

    Raises ConfigError with the file.
    """
    tls = Tls(**read_message_file(path, "tensorflow.serving.SSLConfig"))
    try:
        check_tls(tls)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    return tls
