"""Sentences cut into words."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.errors import ConfigError
from slipway.examples import segmentation
from slipway.examples.segmentation import cut

SENTENCE = "酒店位置非常的好，客人每次都要点名入住。"
WORDS = ["酒店", "位置", "非常", "的", "好", "，", "客人", "每次", "都", "要", "点名", "入住", "。"]
REVIEWS = Path(__file__).parents[3] / "shared/data/hotel_comment/eval.words.txt"


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        (SENTENCE, WORDS),
        ("我很喜欢这个产品", ["我", "很", "喜欢", "这个", "产品"]),
        ("非常 喜欢\n非常\u3000喜欢", ["非常", "喜欢"] * 2),
        ("很好😀！！", ["很", "好", "😀", "！", "！"]),
        ("Ａ１wifi 3.5星", ["Ａ", "１", "wifi", "3.5", "星"]),
        ("", []),
        (" \t\r\n\u3000", []),
        ("\x00", ["\x00"]),
        (SENTENCE * 1000, WORDS * 1000),
    ],
)
def test_a_sentence_is_its_words_and_signs(sentence: str, words: list[str]) -> None:
    assert cut(sentence) == words


@pytest.mark.parametrize("repeated", ["的", "龘", "一", "a", "1", "😀", "的a", "a-", "1."])
def test_no_sentence_of_a_hundred_thousand_characters_hangs(repeated: str) -> None:
    sentence = repeated * (100_000 // len(repeated))
    assert "".join(cut(sentence)) == sentence


@pytest.fixture(scope="module")
def jieba_cut(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """What cut the words that the model has learned."""
    with warnings.catch_warnings():
        # It is compiled with warnings, and imported with another one.
        warnings.simplefilter("ignore")
        import jieba
    tokenizer = jieba.Tokenizer()
    # Not into the folder where others may write what it would trust.
    tokenizer.tmp_dir = str(tmp_path_factory.mktemp("jieba"))
    return lambda sentence: [word for word in tokenizer.cut(sentence) if not word.isspace()]


@pytest.mark.parametrize(
    "sentence",
    [
        "2001-2006年住过4-5次，24小时wifi，T-shirt和C++，100%推荐non-smokers",
        "www.ctrip.com 3.14 A.B x_y -1 .5 a--b 3.5-4.0星 7-11便利店",
        "前台MM的态度很好，但是房间小了一点儿，隔音也不好！！！下次不会再来了。。。",
        "我们中出了一个叛徒，南京市长江大桥，乒乓球拍卖完了",
    ],
)
def test_words_are_those_of_jieba(jieba_cut: Callable[[str], list[str]], sentence: str) -> None:
    assert cut(sentence) == jieba_cut(sentence)


@pytest.mark.skipif(not REVIEWS.exists(), reason="needs the hotel reviews in ../shared/data")
def test_words_of_real_reviews_are_those_of_jieba(jieba_cut: Callable[[str], list[str]]) -> None:
    reviews = ["".join(line.split()) for line in REVIEWS.read_text().splitlines()]
    assert [cut(review) for review in reviews] == [jieba_cut(review) for review in reviews]


def test_a_missing_rjieba_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    segmentation._rjieba.cache_clear()
    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(ConfigError, match=r"pip install 'slipway\[examples\]'"):
        cut("好")
