"""Who listens on which port of this machine."""

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from slipway.stack.access import user_name

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
_LONGEST_COMMAND: Final = 80


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that listens."""

    pid: int
    command: str


def bind_error(host: str, port: int) -> OSError | None:
    """Return why nobody could listen on a port now; None when this process could."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # Connections of a process that has ended are no obstacle to servers either.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
            # Two may be bound to a port as long as none of them listens.
            probe.listen(1)
    except OSError as error:
        return error
    return None


def holders_of(port: int) -> list[Holder]:
    """Return the processes that listen on a port, as far as this one may know: on Linux, and
    of its own user.
    """
    inodes = {inode for inode, _ in _listeners(port)}
    if not inodes:
        return []
    return [
        Holder(pid, _shortened(command_of(pid)))
        for pid in sorted(int(entry.name) for entry in _PROC.glob("[0-9]*"))
        if not inodes.isdisjoint(_sockets(pid))
    ]


def users_of(port: int) -> list[str]:
    """Return whose processes listen on a port; nobody where the system does not say."""
    return sorted({user_name(uid) for _, uid in _listeners(port)})


def command_of(pid: int) -> str:
    """Return the command line of a process; empty when it has ended."""
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return " ".join(word.decode(errors="replace") for word in words).strip()


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_COMMAND else f"{text[: _LONGEST_COMMAND - 1]}…"


def family_of(pid: int) -> frozenset[int]:
    """Return a process and all that it and its children started, as far as they still belong to
    each other; nothing for one that has ended.
    """
    parents: dict[int, int] = {}
    for entry in _PROC.glob("[0-9]*/stat"):
        try:
            # The name of the program, in brackets, may hold blanks and brackets.
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(fields[1])
    family = {pid} & parents.keys()
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return frozenset(family)


def _listeners(port: int) -> Iterator[tuple[str, int]]:
    """Yield inode and user of each socket that listens on a port."""
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9], int(fields[7])


def _sockets(pid: int) -> Iterator[str]:
    try:
        names = os.listdir(_PROC / str(pid) / "fd")
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(_PROC / str(pid) / "fd" / name)
        except OSError:
            continue
        if found := re.fullmatch(r"socket:\[(\d+)\]", target):
            yield found[1]
