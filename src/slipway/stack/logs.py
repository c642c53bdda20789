"""Reading the logs of a stack."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TAIL_BYTES: Final = 2**16
_POLL_S: Final = 0.1
_TELLING: Final = re.compile(
    r"in use|cannot|can't|could not|denied|no space|no such|not found|refused|error\b|\[emerg\]"
    r"|exception",
    re.IGNORECASE,
)
_SEARCHED: Final = 10


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log, of its last 64 KB; none where it is not there."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _TAIL_BYTES, 0))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    if size > _TAIL_BYTES:
        lines = lines[1:]
    return lines[-count:] if count else []


def telling_line(lines: Sequence[str]) -> str:
    """Return the line that tells best why a program ended: the last that sounds like a reason.

    What comes after it is often only that it ends: "Shutting down: Master".
    """
    lines = [line.strip() for line in lines if line.strip()][-_SEARCHED:]
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling or lines or [""])[-1]


@dataclass(slots=True)
class _Place:
    """How far a log was read."""

    inode: int
    offset: int


def follow(logs: Mapping[str, Path]) -> Iterator[tuple[str, str] | None]:
    """Yield each line that is written from now on, with the name of its log; never ends by itself.

    A log that was rotated, or comes to be, is read from its beginning. Yields None when there is
    nothing new, for callers that have something else to look at.
    """
    places = {name: _end_of(path) for name, path in logs.items()}
    while True:
        news = False
        for name, path in logs.items():
            for line in _new_lines(path, places, name):
                news = True
                yield name, line
        if not news:
            yield None
            time.sleep(_POLL_S)


def _end_of(path: Path) -> _Place:
    try:
        stat = path.stat()
    except OSError:
        return _Place(0, 0)
    return _Place(stat.st_ino, stat.st_size)


def _new_lines(path: Path, places: dict[str, _Place], name: str) -> Iterator[str]:
    """Yield the whole lines that are new; the rest waits for its end."""
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            place = places[name]
            if stat.st_ino != place.inode or stat.st_size < place.offset:
                places[name] = place = _Place(stat.st_ino, 0)
            file.seek(place.offset)
            text = file.read(_TAIL_BYTES)
    except OSError:
        return
    whole, newline, _ = text.rpartition(b"\n")
    if not newline and len(text) < _TAIL_BYTES:
        return
    place.offset += len(whole) + len(newline) if newline else len(text)
    yield from (whole if newline else text).decode(errors="replace").splitlines()
