"""Reading `slipway.toml`: each mistake with its line, and with what would be right."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from slipway.config.hints import did_you_mean
from slipway.config.project import Project
from slipway.errors import ConfigError

_MAX_FILE_BYTES: Final = 2**20
_HEADER: Final = re.compile(r"\s*\[(\[?)\s*([\w.\-\"' ]+?)\s*\]")
_KEY: Final = re.compile(r"\s*([\w.\-\"']+)\s*=")
_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")

Key = Sequence[int | str]
"""The steps to a value: `("models", 0, "name")`."""


def read_project(path: Path) -> Project:
    """Return what a `slipway.toml` says. Raises ConfigError, with the file, the line and the key.

    Nothing is looked up but the file: whether what it names is there is told by `slipway.stack`.
    Of several mistakes the error has the first; `mistakes_of` returns all.
    """
    project, mistakes = _read(path)
    if project is None:
        raise ConfigError(mistakes[0])
    return project


def mistakes_of(path: Path) -> list[str]:
    """Return all that `read_project` has against a file, each with file, line and key."""
    try:
        return _read(path)[1]
    except ConfigError as error:
        return [str(error)]


def line_of(path: Path, key: Key) -> int:
    """Return the line at which a file that was read sets a key, from 1.

    That of the table around it where the key is not set, and 1 where there is none. Raises
    ConfigError when the file cannot be read any more.
    """
    return _line_of(_text(path), key)


def key_name(key: Key) -> str:
    """Return how messages call a key: `models[0].name`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in key)[1:]


def _read(path: Path) -> tuple[Project | None, list[str]]:
    text = _text(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
        found = _PLACE.search(reason)
        line = int(found[1]) if found and found[1] else max(1, len(text.splitlines()))
        return None, [f"{path}:{line}: {reason}"]
    try:
        return Project.model_validate(values), []
    except ValidationError as error:
        mistakes: dict[Key, str] = {}
        for details in error.errors(include_url=False):
            key = _real_key(details["loc"])
            # A value that fits none of several types is one mistake.
            mistakes.setdefault(
                tuple(key), f"{path}:{_line_of(text, key)}: {_reason(key, details)}"
            )
        return None, list(mistakes.values())


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} is not there: go to the folder of a project, or make one with slipway init"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError(f"{path} is larger than {_MAX_FILE_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 at byte {error.start}") from error


def _real_key(steps: Key) -> Key:
    """Return where a value is, without the steps that name the type it was tried as."""
    section: Any = Project
    key: list[int | str] = []
    for step in steps:
        if isinstance(step, str) and _is_section(section) and step not in section.model_fields:
            return [*key, step]
        if not _is_section(section) and get_origin(section) not in (list, dict):
            break
        key.append(step)
        section = _below(section, step)
    return key


def _reason(key: Key, error: Any) -> str:
    name = key_name(key)
    if error["type"] == "extra_forbidden":
        known = list(_names(key[:-1]))
        hint = did_you_mean(str(key[-1]), known) or f"known are {', '.join(known)}"
        return f"unknown key {name}; {hint}"
    found = f"; found {error['input']!r}" if error["type"] != "missing" else ""
    return f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}{found}"


def _names(key: Key) -> Iterator[str]:
    """Yield the names that the section at a key may have."""
    section: Any = Project
    for step in key:
        section = _below(section, step)
    yield from section.model_fields


def _below(section: Any, step: int | str) -> Any:
    """Return the type of what is one step below a section or a list."""
    if isinstance(step, int) or not _is_section(section):
        return get_args(section)[-1]
    annotation = section.model_fields[step].annotation
    while get_origin(annotation) is UnionType:
        annotation = get_args(annotation)[0]
    return annotation


def _is_section(section: Any) -> bool:
    return isinstance(section, type) and issubclass(section, BaseModel)


def _line_of(text: str, key: Key) -> int:
    """Return the line of a key, or of the nearest table around it, from 1.

    tomllib keeps no lines. Headers of tables and keys at the beginning of a line are looked for,
    which is how such files are written; what is written in one line has that line.
    """
    best, best_depth = 1, 0
    table: tuple[int | str, ...] = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            name = header[2]
            if header[1]:
                counts[name] = counts.get(name, -1) + 1
            here = table = _table(name, counts)
        elif found := _KEY.match(line):
            here = table + tuple(part.strip("\"'") for part in found[1].split("."))
        else:
            continue
        # Up to the key, or to the first thing in it: [[models]] for `models`.
        depth = min(len(here), len(key))
        if here[:depth] == tuple(key[:depth]) and depth > best_depth:
            best, best_depth = number, depth
    return best


def _table(name: str, counts: Mapping[str, int]) -> tuple[int | str, ...]:
    """Return the key of a table from its header, with the places in lists that are open there."""
    key: list[int | str] = []
    parts = name.split(".")
    for depth, part in enumerate(parts, 1):
        key.append(part.strip("\"' "))
        index = counts.get(".".join(parts[:depth]))
        if index is not None:
            key.append(index)
    return tuple(key)
