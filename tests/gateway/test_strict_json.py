"""What the gateway takes as JSON."""

import json
import sys
from typing import Any

import pytest

from slipway.errors import BadInputError, InputTooLargeError
from slipway.gateway.strict_json import parse_json


def nested(depth: int, inner: str = "") -> bytes:
    return ("[" * depth + inner + "]" * depth).encode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"line": "酒店 😀"}', {"line": "酒店 😀"}),
        ("\ufeff[1]", [1]),
        (" \t\r\n[1, 2.5, -0.0, 1e-400, true, null]\n", [1, 2.5, -0.0, 0.0, True, None]),
        ("1.7976931348623157e308", sys.float_info.max),
        (str(2**80), 2**80),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\\ud800"', r"\ud800"),
        (r'"\\\ud83d\ude00"', r"\😀"),
        ('"' + "[{" * 100 + r"\"" + '"', "[{" * 100 + '"'),
        ('["NaN", "1e999"]', ["NaN", "1e999"]),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ("{}", {}),
        ("0", 0),
    ],
)
def test_json_in_utf8_is_taken(text: str, value: Any) -> None:
    assert parse_json(text.encode()) == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the body is empty; it must be JSON"),
        (b"\xef\xbb\xbf \n", "the body is empty; it must be JSON"),
        (b'["a" "b"]', "the body is no JSON: Expecting ',' delimiter at line 1 column 6"),
        (b'{"a": 1,\n  b}', "the body is no JSON: Expecting property name enclosed in double "
         "quotes at line 2 column 3"),
        (b'["a', "the body is no JSON: Unterminated string starting at line 1 column 2"),
        (b'["a\n"]', "the body is no JSON: Invalid control character at line 1 column 4"),
        (b"[1] 2", "the body is no JSON: Extra data at line 1 column 5"),
        (b"\xef\xbb\xbf\xef\xbb\xbf1", "the body is no JSON: Expecting value at line 1 column 1"),
        (b"line=abc", "the body is no JSON: Expecting value at line 1 column 1"),
        (b'"\xff"', "the body is no UTF-8: byte 0xff at position 2; JSON must be UTF-8"),
        ('"\ud800"'.encode(errors="surrogatepass"),
         "the body is no UTF-8: byte 0xed at position 2; JSON must be UTF-8"),
        ("[1]".encode("utf-16"),
         "the body is no UTF-8: byte 0xff at position 1; JSON must be UTF-8"),
        (b'{"line": 1, "x": {"line": 2}, "line": 3}',
         "the body has the key 'line' twice in one object"),
        (rb'{"a": 1, "\u0061": 2}', "the body has the key 'a' twice in one object"),
        (b"[NaN]", "the body has NaN, which is no JSON; numbers must be finite"),
        (b"-Infinity", "the body has -Infinity, which is no JSON; numbers must be finite"),
        (b"[0, 1e999]", "the body has the number 1e999, which is beyond float64"),
        (b"-1E+309", "the body has the number -1E+309, which is beyond float64"),
        (b"9" * 400 + b".5", f"the body has the number {'9' * 32}, which is beyond float64"),
        (b"[" + b"9" * 100_000 + b"]",
         "the body has a whole number with too many digits; no tensor takes more than 64 bits"),
        (rb'["\ud800"]', "the body is no JSON: Half a surrogate pair at line 1 column 3"),
        (rb'{"\uDC00": 1}', "the body is no JSON: Half a surrogate pair at line 1 column 3"),
        (rb'"\ud800\ud83d\ude00"', "the body is no JSON: Half a surrogate pair at line 1 column 2"),
        (rb'"\ude00\ud83d"', "the body is no JSON: Half a surrogate pair at line 1 column 2"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)  # fmt: skip
def test_what_is_refused_says_why(data: bytes, message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        parse_json(data)
    assert str(caught.value) == message


def test_an_error_names_what_was_read() -> None:
    with pytest.raises(BadInputError, match=r"^words is empty"):
        parse_json(b"", what="words")


@pytest.mark.parametrize(
    "data",
    [
        nested(3),
        nested(3, '"[[[[\\"[[["'),
        b'{"a": [{}, {}, [], []]}',
        b"[[[]], [[]], [[]]]",
        b"[[[], [], [], []]]",
    ],
)
def test_what_is_as_deep_as_the_limit_is_taken(data: bytes) -> None:
    assert parse_json(data, max_depth=3) == json.loads(data)


@pytest.mark.parametrize(
    "data",
    [
        nested(4),
        b'{"a": [{}, [[]]]}',
        b"[" * 4,
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
        b'["\\\\", "]]]", [[[',
    ],
    ids=lambda data: str(data[:16]),
)
def test_what_is_deeper_is_too_large(data: bytes) -> None:
    with pytest.raises(InputTooLargeError, match="more than 3 arrays or objects within"):
        parse_json(data, max_depth=3)


def test_a_limit_beyond_what_python_can_do_is_no_crash() -> None:
    with pytest.raises(InputTooLargeError):
        parse_json(nested(1_000_000), max_depth=10**7)


@pytest.mark.parametrize("data", [b'"\\' * 500_000, b'["\\"' * 250_000, b"\\" * 1_000_000])
def test_quotes_and_escapes_are_read_in_one_pass(data: bytes) -> None:
    with pytest.raises(BadInputError):
        parse_json(b"[]" * 40 + data)
