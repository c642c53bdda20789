"""Files with a message in protobuf's text format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway.dataplane.native import parse_text
from slipway.errors import ConfigError, TextFormatError

_MAX_FILE_BYTES = 16 * 2**20


def read_message_file(path: Path, message: str) -> Mapping[str, Any]:
    """Return the message of that name, such as "tensorflow.serving.ModelServerConfig", in a file:
    a dict of the fields that are set.

    Raises ConfigError with the file, and with line and column where the text is wrong.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}; {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError(f"{path} is larger than {_MAX_FILE_BYTES} bytes: is it a model?")
    try:
        return parse_text(message, content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 at byte {error.start}") from error
    except TextFormatError as error:
        raise ConfigError(f"Error parsing text-format {message}: {path}:{error}") from error
