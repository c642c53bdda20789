"""JSON as its standard has it, and nothing that a model could not take."""

import json
import re
from itertools import accumulate
from typing import Any, Final, NoReturn

from slipway.errors import BadInputError, InputTooLargeError

_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+"?', re.DOTALL)
"""A string, or the rest of the text where one is not closed."""
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS: Final = bytes(set(range(256)) - set(_STEPS))
_WHOLE_CHARACTERS: Final = re.compile(
    r"(?:[^\\]++|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\(?!u[dD][89a-fA-F]).)*+", re.DOTALL
)
"""Valid JSON up to the first escape that is half of a surrogate pair."""


def parse_json(data: bytes, *, max_depth: int = 32, what: str = "the body") -> Any:
    r"""Return what a JSON text in UTF-8 says; a byte order mark before it is taken.

    Python's own parser takes more than the standard, or than can be passed on. Refused are keys
    that come twice in an object, NaN and the infinities, numbers that float64 has no value for,
    and half a surrogate pair (`"\ud800"`), which has no UTF-8. A whole number is an int, however
    many bits it has, up to the digits that Python converts.

    Raises BadInputError, and InputTooLargeError for more than `max_depth` arrays and objects
    within one another.
    """
    if _is_deeper(data, max_depth):
        raise _too_deep(max_depth, what)
    try:
        text = data.decode("utf-8-sig")
        if not text.strip():
            raise BadInputError(f"{what} is empty; it must be JSON")
        value = _DECODER.decode(text)
        if (end := _WHOLE_CHARACTERS.match(text).end()) < len(text):  # type: ignore[union-attr]
            raise json.JSONDecodeError("Half a surrogate pair", text, end)
    except UnicodeDecodeError as error:
        wrong = f"byte {error.object[error.start]:#04x} at position {error.start + 1}"
        raise BadInputError(f"{what} is no UTF-8: {wrong}; JSON must be UTF-8") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        fact = error.msg.removesuffix(" at")
        raise BadInputError(f"{what} is no JSON: {fact} at {where}") from error
    except _RefusedError as error:
        raise BadInputError(f"{what} {error}") from error
    except ValueError as error:
        # Python's limit: the time of a conversion grows with the square of the digits.
        raise BadInputError(
            f"{what} has a whole number with too many digits; no tensor takes more than 64 bits"
        ) from error
    except RecursionError as error:
        raise _too_deep(max_depth, what) from error
    return value


class _RefusedError(Exception):
    """The JSON is refused for a value; the message goes on after what it is in."""


def _too_deep(max_depth: int, what: str) -> InputTooLargeError:
    return InputTooLargeError(
        f"{what} has more than {max_depth} arrays or objects within one another"
    )


def _is_deeper(data: bytes, limit: int) -> bool:
    """Say if more than `limit` arrays and objects are within one another.

    Asked before the parser runs: how deep that can go depends on Python and on the thread.
    """
    if data.count(b"[") + data.count(b"{") <= limit:
        return False
    brackets = _STRING.sub(b"", data).translate(None, _NO_BRACKETS)
    return any(map(limit.__lt__, accumulate(map(_STEPS.__getitem__, brackets))))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RefusedError(f"has the key {key[:64]!r} twice in one object")
            seen.add(key)
    return members


def _constant(name: str) -> NoReturn:
    raise _RefusedError(f"has {name}, which is no JSON; numbers must be finite")


def _float(digits: str) -> float:
    value = float(digits)
    if value - value:  # NaN, which is true, for an infinity
        raise _RefusedError(f"has the number {digits[:32]}, which is beyond float64")
    return value


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
)
