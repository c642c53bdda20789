"""Sentences cut into words."""

import marshal
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import ConfigError
from slipway.examples.segmentation import Segmenter

SENTENCE = "酒店位置非常的好，客人每次都要点名入住。"
WORDS = ["酒店", "位置", "非常", "的", "好", "，", "客人", "每次", "都", "要", "点名", "入住", "。"]


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    segmenter = Segmenter()
    segmenter.prepare()
    return segmenter


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
    ],
)
def test_a_sentence_is_its_words_and_signs(
    segmenter: Segmenter, sentence: str, words: list[str]
) -> None:
    assert segmenter.cut(sentence) == words


@pytest.mark.parametrize("repeated", ["的", "龘", "一", "a", "1", "😀", "的a"])
def test_no_sentence_of_a_hundred_thousand_characters_hangs(
    segmenter: Segmenter, repeated: str
) -> None:
    sentence = repeated * (100_000 // len(repeated))
    assert "".join(segmenter.cut(sentence)) == sentence


def test_a_long_text_is_cut_as_its_sentences_are(segmenter: Segmenter) -> None:
    assert segmenter.cut(SENTENCE * 1000) == WORDS * 1000
    letters = "a" * 5000
    words = segmenter.cut(f"很{letters}好")
    assert "".join(words) == f"很{letters}好"
    assert max(map(len, words)) <= 1000


def test_jiebas_own_tokenizer_belongs_to_the_user(segmenter: Segmenter) -> None:
    import jieba

    tokenizer = jieba.dt
    assert segmenter._tokenizer is not tokenizer
    assert segmenter._tokenizer.FREQ is not tokenizer.FREQ


def test_the_temporary_directory_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    planted = tmp_path / "jieba.cache"
    planted.write_bytes(marshal.dumps(({SENTENCE: 1}, 1)))
    before = planted.read_bytes()
    assert Segmenter().cut(SENTENCE) == WORDS
    assert [*tmp_path.iterdir()] == [planted]
    assert planted.read_bytes() == before


def test_a_kept_dictionary_is_used(tmp_path: Path) -> None:
    assert Segmenter(tmp_path / "run").cut(SENTENCE) == WORDS
    cache = tmp_path / "run" / "jieba.cache"
    source, frequencies, total = marshal.loads(cache.read_bytes())
    assert Segmenter(tmp_path / "run").cut(SENTENCE) == WORDS
    frequencies.update(dict.fromkeys((SENTENCE[:i] for i in range(1, 7)), total))
    cache.write_bytes(marshal.dumps((source, frequencies, total)))
    assert Segmenter(tmp_path / "run").cut("酒店位置非常") == ["酒店位置非常"]


@pytest.mark.parametrize(
    "damaged",
    [
        lambda good: b"",
        lambda good: good[:1000],
        lambda good: bytes(1000),
        lambda good: marshal.dumps(1),
        lambda good: marshal.dumps((("0.1", 1, 1), {}, 1)),
    ],
    ids=["empty", "cut off", "zeros", "of something else", "of another jieba"],
)
def test_a_kept_dictionary_that_is_not_the_right_one_is_replaced(
    tmp_path: Path, damaged: Callable[[bytes], bytes]
) -> None:
    tmp_path.chmod(0o700)
    cache = tmp_path / "jieba.cache"
    Segmenter(tmp_path).prepare()
    good = cache.read_bytes()
    cache.write_bytes(damaged(good))
    assert Segmenter(tmp_path).cut(SENTENCE) == WORDS
    assert cache.read_bytes() == good


def test_a_folder_that_others_can_write_to_is_warned_of_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o777)
    planted = tmp_path / "jieba.cache"
    planted.write_bytes(b"planted")
    assert Segmenter(tmp_path).cut(SENTENCE) == WORDS
    assert planted.read_bytes() == b"planted"
    assert "the dictionary's cache is not used: " in caplog.text
    assert "chmod go-w" in caplog.text


def test_several_threads_load_one_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    load = Segmenter._load

    def counted(segmenter: Segmenter) -> Any:
        loaded.append(segmenter)
        return load(segmenter)

    monkeypatch.setattr(Segmenter, "_load", counted)
    segmenter = Segmenter()
    together = threading.Barrier(8)

    def cut(_: int) -> list[str]:
        together.wait()
        return segmenter.cut(SENTENCE)

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(cut, range(8))] == [WORDS] * 8
    assert loaded == [segmenter]


def run(script: str, **variables: str) -> str:
    """Return what a script prints in a process that warnings are errors in."""
    command = [sys.executable, "-W", "error", "-c", script]
    process = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert (process.stderr, process.returncode) == ("", 0)
    return process.stdout


def test_children_of_a_prepared_process_have_the_dictionary() -> None:
    script = f"""
import os
from slipway.examples.segmentation import Segmenter
segmenter = Segmenter()
segmenter.prepare()
dictionary = segmenter._tokenizer
child = os.fork()
if child == 0:
    right = segmenter.cut({SENTENCE!r}) == {WORDS!r} and segmenter._tokenizer is dictionary
    os._exit(0 if right else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(script) == "0\n"


def test_jieba_is_imported_and_used_without_a_word(tmp_path: Path) -> None:
    # Compiled anew, as its warnings come then; and with a setuptools of the kind that complains.
    (tmp_path / "pkg_resources.py").write_text(
        "import warnings\nwarnings.warn('pkg_resources is deprecated', UserWarning, stacklevel=2)\n"
    )
    script = f"""
import sys, warnings
sys.path.insert(0, {str(tmp_path)!r})
before = warnings.filters[:]
from slipway.examples.segmentation import Segmenter
assert 'jieba' not in sys.modules
assert len(Segmenter().cut({SENTENCE!r})) == {len(WORDS)}
assert warnings.filters == before
print('pkg_resources' in sys.modules)
"""
    assert run(script, PYTHONPYCACHEPREFIX=str(tmp_path / "compiled")) == "True\n"


def test_a_missing_jieba_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(ConfigError, match=r"pip install 'slipway\[examples\]'"):
        Segmenter().cut("好")
