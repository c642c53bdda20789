"""What the system knows of processes: read from /proc, and nothing where there is none."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_ZOMBIE: Final = "Z"


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process, at one moment."""

    pid: int
    parent: int
    group: int
    user: int
    started: int
    """Ticks between the boot of the machine and its start: with the pid, it names a process."""


def facts_of(pid: int) -> ProcessFacts | None:
    """Return what is known of a process; None when it has ended, reaped by its parent or not."""
    try:
        folder = _PROC / str(pid)
        text = (folder / "stat").read_text()
        user = folder.stat().st_uid
    except OSError:
        return None
    # The name of the program, in brackets, may have blanks and brackets in it.
    values = text.rpartition(")")[2].split()
    if values[0] == _ZOMBIE:
        return None
    return ProcessFacts(pid, int(values[1]), int(values[2]), user, int(values[19]))


def all_processes() -> Iterator[ProcessFacts]:
    """Yield every process that runs."""
    for folder in _PROC.glob("[0-9]*"):
        if facts := facts_of(int(folder.name)):
            yield facts


def members(group: int) -> list[ProcessFacts]:
    """Return the processes of a process group."""
    return [facts for facts in all_processes() if facts.group == group]


def children(pid: int) -> set[int]:
    """Return the processes that a process has started, and that run."""
    return {facts.pid for facts in all_processes() if facts.parent == pid}


def command_of(pid: int) -> list[str]:
    """Return the words that a process was started with; none where nobody may know."""
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return [word.decode(errors="replace") for word in words if word]


def folder_of(pid: int) -> Path | None:
    """Return the folder that a process works in; None where nobody may know."""
    return _link(pid, "cwd")


def program_of(pid: int) -> Path | None:
    """Return the file that a process runs; None where nobody may know."""
    return _link(pid, "exe")


def boot_id() -> str:
    """Return a name of the time since the machine was started; ticks are counted from there."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _link(pid: int, name: str) -> Path | None:
    try:
        # What was replaced by a newer version since is still the same program.
        return Path(str((_PROC / str(pid) / name).readlink()).removesuffix(" (deleted)"))
    except OSError:
        return None
