"""Lists of words, as JSON has them and as Python prints them."""

import re
import sys
from typing import Final

from slipway.errors import BadInputError, InputTooLargeError

_BLANKS: Final = re.compile(r"[ \t\r\n]*+")
_ITEM: Final = re.compile(
    r"(?:'([^'\\\x00-\x1f]*+(?:\\.[^'\\\x00-\x1f]*+)*+)'"
    r'|"([^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)")'
    r"[ \t\r\n]*+(,?)[ \t\r\n]*+",
    re.DOTALL,
)
"""A word in quotes, and a comma where there is one."""
_ESCAPE: Final = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_ESCAPED: Final = {
    "\\": "\\",
    "'": "'",
    '"': '"',
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}


def parse_words(text: str, *, what: str, max_words: int = 100_000) -> list[str]:
    r"""Return the words of a list such as `["非常", "喜欢"]` or `['非常', '喜欢']`.

    One grammar reads both, as no text means one list in JSON and another where Python prints it:
    a list of strings in single or double quotes, with the escapes of either, and maybe a comma
    after the last. Two `\u` escapes that are a surrogate pair are one character.

    Raises BadInputError, with the place, for anything else; InputTooLargeError for more than
    `max_words`.
    """
    if (end := _end_of_unicode(text)) < len(text):
        raise _bad(what, end, "is half a surrogate pair")
    at = _skip_blanks(text, 0)
    if not text.startswith("[", at):
        raise _unexpected(what, text, at, "'['")
    at = _skip_blanks(text, at + 1)
    words: list[str] = []
    while not text.startswith("]", at):
        if not (item := _ITEM.match(text, at)):
            if text[at : at + 1] in ("'", '"'):
                raise _bad(what, at, "begins a word that does not end, or has a control character")
            raise _unexpected(what, text, at, "a word in quotes or ']'")
        if len(words) == max_words:
            raise InputTooLargeError(f"{what} has more than {max_words} words")
        single, double, comma = item.groups()
        words.append(_unescaped(double if single is None else single, what, at + 1))
        at = item.end()
        if not comma and not text.startswith("]", at):
            raise _unexpected(what, text, at, "',' or ']'")
    at = _skip_blanks(text, at + 1)
    if at < len(text):
        raise _unexpected(what, text, at, "the end")
    return words


def _skip_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _end_of_unicode(text: str) -> int:
    """Return where the first half of a surrogate pair is, which no UTF-8 has, or the length."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return len(text)


def _unescaped(word: str, what: str, start: int) -> str:
    """Return a word that begins at `start` without its escapes."""
    if "\\" not in word:
        return word

    def character(escape: re.Match[str]) -> str:
        digits = escape[1] or escape[2] or escape[3]
        code = int(digits, 16) if digits else -1
        if code > sys.maxunicode or not (digits or escape[4] in _ESCAPED):
            raise _bad(what, start + escape.start(), "begins an escape that means nothing")
        return chr(code) if digits else _ESCAPED[escape[4]]

    try:
        # By way of UTF-16, which joins pairs and has no halves.
        plain = _ESCAPE.sub(character, word)
        return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise _bad(what, start, "begins a word with half a surrogate pair") from error


def _unexpected(what: str, text: str, at: int, expected: str) -> BadInputError:
    found = repr(text[at]) if at < len(text) else "the end"
    return _bad(what, at, f"is {found}, and not {expected}")


def _bad(what: str, at: int, fact: str) -> BadInputError:
    return BadInputError(
        f"{what} is no list of words: character {at + 1} {fact}; "
        """it must look like ["非常", "喜欢"] or ['非常', '喜欢']"""
    )
