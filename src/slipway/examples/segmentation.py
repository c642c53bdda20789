"""Cutting Chinese sentences into words, as the words were cut that the sentiment model knows."""

import logging
import marshal
import re
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import Any, Final

from slipway.errors import ConfigError
from slipway.examples.private_cache import read_cache, write_cache

logger = logging.getLogger(__name__)

_CACHE: Final = "jieba.cache"
_LONGEST_RUN: Final = 1000
"""Characters that jieba takes together, Han or Latin: its time may grow with their square."""
_RUN: Final = re.compile(f"[\u4e00-\u9fd5a-zA-Z0-9+#&._%-]{{1,{_LONGEST_RUN}}}")
_LOADING: Final = threading.Lock()
"""One for all, as an import changes the filters of warnings of the whole process."""


class Segmenter:
    """Cuts sentences with jieba and its own dictionary. Safe from any thread.

    It has a tokenizer of its own: words that are added to `jieba` itself change nothing here.

    Without a `cache_folder` the dictionary is made from jieba's text each time. With one it is
    kept there, and is used only while nobody else can have written it; the cache in the shared
    temporary directory, which jieba would trust, is neither read nor written.
    """

    def __init__(self, cache_folder: Path | None = None) -> None:
        self._cache_folder = cache_folder
        self._tokenizer: Any = None

    def prepare(self) -> None:
        """Load the dictionary, unless that has been done; the first `cut` does it otherwise.

        To be called before a process forks, so that its children share the dictionary. No other
        thread may be loading one then: a child would wait for it for ever.

        Raises ConfigError when jieba is not installed.
        """
        with _LOADING:
            if self._tokenizer is None:
                self._tokenizer = self._load()

    def cut(self, sentence: str) -> list[str]:
        """Return the words and signs of a sentence in order, without its blanks.

        Raises ConfigError when jieba is not installed.
        """
        if self._tokenizer is None:
            self.prepare()
        if len(sentence) > _LONGEST_RUN:
            sentence = _RUN.sub(_followed_by_blank_if_full, sentence)
        return [word for word in self._tokenizer.cut(sentence) if not word.isspace()]

    def _load(self) -> Any:
        jieba = _import_jieba()
        source = Path(jieba.__file__).with_name("dict.txt")
        status = source.stat()
        made_of = (jieba.__version__, status.st_size, status.st_mtime_ns)
        tokenizer = jieba.Tokenizer()
        # In the place of its own `initialize`, which has the cache that anyone may write.
        cached = self._read(made_of)
        if cached is None:
            with source.open("rb") as file:
                cached = tokenizer.gen_pfdict(file)
            self._write((made_of, *cached))
        tokenizer.FREQ, tokenizer.total = cached
        tokenizer.initialized = True
        return tokenizer

    def _read(self, made_of: tuple[str, int, int]) -> tuple[dict[str, int], int] | None:
        if self._cache_folder is None:
            return None
        try:
            data = read_cache(self._cache_folder, _CACHE)
        except OSError as error:
            logger.warning("the dictionary's cache is not used: %s", error)
            return None
        if data is None:
            return None
        try:
            # Only this user can have made it, so it is as safe as the code that is run for them.
            source, frequencies, total = marshal.loads(data)  # noqa: S302
        except (EOFError, TypeError, ValueError):  # damaged, or of another Python
            return None
        return (frequencies, total) if source == made_of else None

    def _write(self, dictionary: tuple[tuple[str, int, int], dict[str, int], int]) -> None:
        if self._cache_folder is None:
            return
        try:
            write_cache(self._cache_folder, _CACHE, marshal.dumps(dictionary))
        except OSError as error:
            logger.warning("the dictionary's cache is not written: %s", error)


@cache
def shared_segmenter(cache_folder: Path | None = None) -> Segmenter:
    """Return the segmenter of a folder, the same one each time: a dictionary has 60 MB."""
    return Segmenter(cache_folder)


def _followed_by_blank_if_full(run: re.Match[str]) -> str:
    return f"{run[0]} " if len(run[0]) == _LONGEST_RUN else run[0]


def _import_jieba() -> Any:
    # Python warns of jieba's escapes when it compiles it, naming its path, and setuptools of being
    # imported by it. Where warnings are errors it could not be imported.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(.*[/\\])?(jieba|pkg_resources)\b")
        try:
            import jieba
        except ModuleNotFoundError as error:
            if error.name != "jieba":
                raise
            raise ConfigError(
                "jieba is not installed. Add it: pip install 'slipway[examples]'"
            ) from error
    return jieba
