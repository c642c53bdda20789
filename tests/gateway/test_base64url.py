"""Base64 as clients put it into URLs."""

import base64

import pytest

from slipway.errors import BadInputError
from slipway.gateway.base64url import decode_base64, decode_base64_text

EVERY_BYTE = bytes(range(256)) + b"\xfb\xff\xfe"


@pytest.mark.parametrize("length", [0, 1, 2, 3, 255, len(EVERY_BYTE)])
def test_every_way_that_clients_write_it_is_the_same(length: int) -> None:
    data = EVERY_BYTE[-length:] if length else b""
    url_safe = base64.urlsafe_b64encode(data).decode()
    standard = base64.b64encode(data).decode()
    ways = (url_safe, url_safe.rstrip("="), standard, standard.replace("+", " "))
    assert {decode_base64(text, what="img") for text in ways} == {data}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("QU!D", "character 3 is '!'; it must have A-Z, a-z, 0-9, - and _ only, and = at its end"),
        ("QUJD\n", r"character 5 is '\n'; "),
        ("酒店", "character 1 is '酒'; "),
        ("QUＪD", "character 3 is 'Ｊ'; "),
        ("QUJ\udcff", r"character 4 is '\udcff'; "),
        ("QQ==QQ==", "character 3 is '='; "),
        ("Q", "1 characters before the padding are one too many or some too few; was it cut off?"),
        ("QUJDR===", "5 characters before the padding are "),
        ("QQ===", "it ends with 3 =, not with 2"),
        ("QUJD=", "it ends with 1 =, not with 0"),
        ("=", "it ends with 1 =, not with 0"),
    ],
)
def test_what_is_no_base64_says_why(text: str, message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        decode_base64(text, what="img")
    assert str(caught.value).startswith(f"img is no base64: {message}")


@pytest.mark.parametrize("text", ["", "a", "酒店位置非常的好", "😀\x00"])
def test_a_text_comes_back_as_it_was(text: str) -> None:
    encoded = base64.urlsafe_b64encode(text.encode()).decode()
    assert decode_base64_text(encoded, what="line") == text


def test_bytes_that_are_no_text_are_refused() -> None:
    encoded = base64.urlsafe_b64encode("酒店".encode("gbk")).decode()
    with pytest.raises(BadInputError) as caught:
        decode_base64_text(encoded, what="line")
    assert str(caught.value) == (
        "line is base64, but of no UTF-8: byte 0xbe at position 1; encode the text as UTF-8 first"
    )


def test_a_text_of_bytes_that_are_no_base64_is_refused() -> None:
    with pytest.raises(BadInputError, match="line is no base64"):
        decode_base64_text("%", what="line")
