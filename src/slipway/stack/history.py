"""What supervisord's own log tells of its programs: how often they were restarted, and why.

supervisord counts no restarts, and forgets how a program ended as soon as it has started it again.
It logs both, a line each: the end of a program that nobody asked for (`exited: NAME`), one that was
asked for (`stopped: NAME`), and each start (`spawned: 'NAME'`). So a restart is a start after an
`exited:`, counted since supervisord itself began. What was rotated away is not counted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

_LINE: Final = re.compile(r"(\S+ \S+),\d+ [A-Z]+ (.*)")
_BEGIN: Final = re.compile(r"supervisord started with pid")
_EVENTS: Final = re.compile(
    r"(?P<event>spawned|exited|stopped|success|gave up): '?(?P<name>[^\s']+)'?(?: (?P<rest>.*))?"
)
_SPAWN_ERROR: Final = re.compile(r"spawnerr: (?P<reason>.*)")
_STATUS: Final = re.compile(r"\((.*?)(?:; (?:not )?expected)?\)")
_ROTATED: Final = 10


@dataclass(frozen=True, slots=True)
class History:
    """What happened to one program since supervisord began."""

    restarts: int = 0
    """How often it was started again after it had ended by itself."""
    last_exit: str = ""
    """How it ended the last time that nobody had asked it to: `exit status 1`."""
    ends: tuple[float, ...] = ()
    """When it ended by itself, in seconds of the clock."""
    ends_in_a_row: int = 0
    """How often it ended by itself since it last ran for as long as supervisord expects."""
    has_ended: bool = False
    """The latest that is known of it is that it ended by itself."""


def read_history(lines: Iterable[str]) -> Mapping[str, History]:
    """Return what the lines of supervisord's log tell, by the name of the program."""
    found: dict[str, History] = {}
    for line in lines:
        if not (match := _LINE.match(line)):
            continue
        when, text = match.groups()
        if _BEGIN.match(text):
            found = {}
        elif event := _EVENTS.match(text):
            name = event["name"]
            found[name] = _after(found.get(name, History()), event, _seconds(when))
    return found


def read_log(path: Path) -> list[str]:
    """Return the lines of a log, those that were rotated away first; none where it is not there."""
    lines: list[str] = []
    for number in range(_ROTATED, -1, -1):
        file = path.with_name(f"{path.name}.{number}") if number else path
        try:
            lines += file.read_text(errors="replace").splitlines()
        except OSError:
            continue
    return lines


def _after(history: History, event: re.Match[str], seconds: float) -> History:
    kind, rest = event["event"], event["rest"] or ""
    if kind == "exited":
        status = _STATUS.match(rest)
        return replace(
            history,
            last_exit=status[1] if status else rest,
            ends=(*history.ends, seconds),
            ends_in_a_row=history.ends_in_a_row + 1,
            has_ended=True,
        )
    if kind == "spawned":
        restarts = history.restarts + history.has_ended
        return replace(history, restarts=restarts, has_ended=False)
    if kind == "success":
        return replace(history, ends_in_a_row=0)
    if kind == "stopped":
        return replace(history, ends_in_a_row=0, has_ended=False)
    return history


def _seconds(when: str) -> float:
    try:
        return datetime.fromisoformat(when).timestamp()
    except ValueError:
        return 0.0
