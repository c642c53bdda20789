"""Base64 as it comes in URLs."""

import binascii
import re
from typing import Final

from slipway.errors import BadInputError

_FOREIGN: Final = re.compile(r"[^A-Za-z0-9\-_+/ ]")
_STANDARD: Final = bytes.maketrans(b"-_ ", b"+/+")


def decode_base64(text: str, *, what: str) -> bytes:
    """Return the bytes of URL-safe base64, with its padding or without.

    The standard alphabet is taken too, also with a blank for each `+`: that is what a query makes
    of a `+` that was not escaped.

    Raises BadInputError.
    """
    body = text.rstrip("=")
    if foreign := _FOREIGN.search(body):
        raise BadInputError(
            f"{what} is no base64: character {foreign.start() + 1} is {foreign[0]!r}; "
            "it must have A-Z, a-z, 0-9, - and _ only, and = at its end"
        )
    missing = -len(body) % 4
    if missing == 3:
        raise BadInputError(
            f"{what} is no base64: {len(body)} characters before the padding are one too many "
            "or some too few; was it cut off?"
        )
    if (padding := len(text) - len(body)) > missing:
        raise BadInputError(f"{what} is no base64: it ends with {padding} =, not with {missing}")
    return binascii.a2b_base64(body.encode("ascii").translate(_STANDARD) + b"=" * missing)


def decode_base64_text(text: str, *, what: str) -> str:
    """Return the text whose UTF-8 is in URL-safe base64, as `decode_base64` takes it.

    Raises BadInputError.
    """
    data = decode_base64(text, what=what)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"{what} is base64, but of no UTF-8: byte {data[error.start]:#04x} at position "
            f"{error.start + 1}; encode the text as UTF-8 first"
        ) from error
