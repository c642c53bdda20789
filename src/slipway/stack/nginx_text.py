"""How nginx wants its configuration written."""

import re
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent, indent
from typing import Final

from slipway.errors import ConfigError

_PLAIN: Final = re.compile(r"[\w./:=@+\[\]-]+", re.ASCII)


def word(text: str) -> str:
    """Return a parameter of a directive, in quotes where it needs them.

    A dollar begins a variable in the directives that take any, quotes or not.
    """
    if _PLAIN.fullmatch(text):
        return text
    # nginx reads \\t and its kin as what they stand for.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def file_word(path: Path | str, what: str) -> str:
    """Return the path of a file for a directive that takes variables. Raises ConfigError."""
    if "$" in str(path):
        raise ConfigError(
            f"{what} is {path}, and nginx takes what follows the $ for a variable: rename it"
        )
    return word(str(path))


def duration(seconds: float) -> str:
    """Return a time: nginx takes whole numbers, of seconds or of milliseconds."""
    whole = round(seconds)
    return f"{whole}s" if whole == seconds else f"{round(seconds * 1000)}ms"


def lines(text: str) -> str:
    """Return a literal of several lines without the indentation that it has among the code."""
    return dedent(text).strip("\n")


def block(head: str, *parts: str) -> str:
    """Return a block of directives; a blank line stands between the parts, which may be empty."""
    body = "\n\n".join(part for part in parts if part)
    return f"{head} {{\n{indent(body, '    ')}\n}}"


def joined(parts: Iterable[str]) -> str:
    """Return the parts of a configuration that are not empty, a blank line between them."""
    return "\n\n".join(part for part in parts if part)
