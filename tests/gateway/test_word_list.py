"""Lists of words in a query, as clients write them."""

import ast
import json

import pytest

from slipway.errors import BadInputError, InputTooLargeError
from slipway.gateway.word_list import parse_words

LISTS = [
    [],
    [""],
    ["非常", "喜欢"],
    ["it's", 'a "word"', "both ' and \"", "\\", "\\'", "/"],
    ["a\nb\tc\rd\x00\x07\x7f\x85\xa0\u2028\ufeff", "😀", "\b\f"],
]


@pytest.mark.parametrize("words", LISTS, ids=str)
def test_json_and_what_python_prints_are_the_same_list(words: list[str]) -> None:
    texts = (
        str(words),
        ascii(words),
        json.dumps(words),
        json.dumps(words, ensure_ascii=False, indent=1),
    )
    assert all(parse_words(text, what="words") == words for text in texts)


@pytest.mark.parametrize(
    "text",
    [
        "['a', \"b\"]",
        "[ 'a' ,'b', ]",
        "\t['a',\r\n 'b']\n",
        r"""['\\ \' \" \n \r \t \b \f \x41 \xe9 \u975e \U0001F600', "\\ \' \" \n"]""",
    ],
)
def test_what_python_takes_means_the_same_here(text: str) -> None:
    assert parse_words(text, what="words") == ast.literal_eval(text.strip())


@pytest.mark.parametrize("text", [r'["\ud83d\ude00\/"]', r"['\ud83d\ude00\/']"])
def test_what_only_json_has_is_taken_in_either_quotes(text: str) -> None:
    assert parse_words(text, what="words") == ["😀/"]


@pytest.mark.parametrize(
    ("text", "place", "fact"),
    [
        ("", 1, "is the end, and not '['"),
        ("非常", 1, "is '非', and not '['"),
        ('"非常"', 1, "is '\"', and not '['"),
        ("('a',)", 1, "is '(', and not '['"),
        ('{"a": 1}', 1, "is '{', and not '['"),
        ("[", 2, "is the end, and not a word in quotes or ']'"),
        ("['a'", 5, "is the end, and not ',' or ']'"),
        ("['a',", 6, "is the end, and not a word in quotes or ']'"),
        ("[,]", 2, "is ',', and not a word in quotes or ']'"),
        ("['a',,]", 6, "is ',', and not a word in quotes or ']'"),
        ("['a', 1]", 7, "is '1', and not a word in quotes or ']'"),
        ("[None]", 2, "is 'N', and not a word in quotes or ']'"),
        ("[['a']]", 2, "is '[', and not a word in quotes or ']'"),
        ("[b'a']", 2, "is 'b', and not a word in quotes or ']'"),
        ("[f'a']", 2, "is 'f', and not a word in quotes or ']'"),
        ("['a' 'b']", 6, "is \"'\", and not ',' or ']'"),
        ("['a' + 'b']", 6, "is '+', and not ',' or ']'"),
        ("['''a''']", 4, "is \"'\", and not ',' or ']'"),
        ("['a'] + ['b']", 7, "is '+', and not the end"),
        ("['a']]", 6, "is ']', and not the end"),
        ("['a'\u3000]", 5, r"is '\u3000', and not ',' or ']'"),
        ("['a]", 2, "begins a word that does not end, or has a control character"),
        ("['a\nb']", 2, "begins a word that does not end, or has a control character"),
        ("['a\\']", 2, "begins a word that does not end, or has a control character"),
        (r"['ab\q']", 5, "begins an escape that means nothing"),
        (r"['\N{BULLET}']", 3, "begins an escape that means nothing"),
        (r"['\x4']", 3, "begins an escape that means nothing"),
        (r"['\0']", 3, "begins an escape that means nothing"),
        (r"['\U00110000']", 3, "begins an escape that means nothing"),
        (r"['\UFFFFFFFF']", 3, "begins an escape that means nothing"),
        ("['a\\\nb']", 4, "begins an escape that means nothing"),
        (r"['\ud800']", 3, "begins a word with half a surrogate pair"),
        (r"['\ude00\ud83d']", 3, "begins a word with half a surrogate pair"),
        ("['a\udcff']", 4, "is half a surrogate pair"),
    ],
)
def test_what_is_refused_says_where_and_what_would_be_right(
    text: str, place: int, fact: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        parse_words(text, what="words")
    assert str(caught.value) == (
        f"words is no list of words: character {place} {fact}; "
        """it must look like ["非常", "喜欢"] or ['非常', '喜欢']"""
    )


def test_as_many_words_as_the_limit_are_taken_and_no_more() -> None:
    assert parse_words("['a', 'b',]", what="words", max_words=2) == ["a", "b"]
    with pytest.raises(InputTooLargeError, match="words has more than 1 words"):
        parse_words("['a', 'b']", what="words", max_words=1)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "['" + "\\" * 1_000_000,
        "['" + "a" * 1_000_000,
        "['" + "a\\" * 500_000 + "\n",
        "['a'" + " " * 1_000_000 + "x",
        "[" + " \n" * 500_000,
        "['" + r"\ud800" * 160_000 + "']",
        "['" + "a" * 1_000_000 + r"\q']",
    ],
    ids=lambda text: repr(text[:10]),
)
def test_a_megabyte_of_malice_is_refused_at_once(text: str) -> None:
    with pytest.raises(BadInputError):
        parse_words(text, what="words")
