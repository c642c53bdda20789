"""The process groups of a stack, written down so that they can be found when supervisord is gone.

Each program that supervisord starts leads a process group, and writes itself down before it
becomes what it is to be (`slipway.stack.launch`). When supervisord is killed its programs go on,
and when the master of nginx is killed its workers do: both hold the ports that their successors
need.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from slipway.stack.processes import ProcessFacts, boot_id, facts_of, folder_of, members, program_of

_POLL_S: Final = 0.02
_KILL_S: Final = 5.0
"""How long the system may take to end what was killed."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """A process group, by what only its own processes have in common."""

    leader: int
    """Pid of its first process, which is the number of the group as well."""
    started: int
    boot: str
    folder: str
    programs: Sequence[str]
    """What its processes run: the program, or Python where that is a script."""
    stop_signal: int
    """What its processes end after gracefully."""
    writer: int = 0
    """The user who has written it down."""

    @classmethod
    def of_this_process(cls, program: Path, stop_signal: signal.Signals) -> Self:
        """Return the group that this process leads, or will lead once it has become `program`."""
        pid = os.getpid()
        facts = facts_of(pid)
        return cls(
            leader=pid,
            started=facts.started if facts else 0,
            boot=boot_id(),
            folder=str(Path.cwd()),
            programs=[str(program.resolve()), str(Path(sys.executable).resolve())],
            stop_signal=stop_signal,
        )

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Return the group that a file names; None when there is none, or it cannot be read."""
        try:
            return cls(**{**json.loads(file.read_text()), "writer": file.stat().st_uid})
        except (OSError, ValueError, TypeError):
            return None

    def write(self, file: Path) -> None:
        """Write it down, for `read`. What was there before stays when the disk is full."""
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(file)

    def pids(self) -> list[int]:
        """Return the processes of this very group that run.

        A number is given away anew only when no process has it as its own or as that of its group.
        So a group is another one when its leader started at another time; where the leader is gone,
        each member must be younger than it was, run what it ran, and work in its folder.
        Who is not root can write down nothing but processes of its own: root, reading it, would end
        whatever it says.
        """
        if self.boot != boot_id():
            return []
        leader = facts_of(self.leader)
        if leader and leader.started != self.started:
            return []
        return [
            facts.pid
            for facts in members(self.leader)
            if self.writer in (0, facts.user) and (leader or self._is_like_leader(facts))
        ]

    def _is_like_leader(self, facts: ProcessFacts) -> bool:
        return (
            facts.started >= self.started
            and str(program_of(facts.pid)) in self.programs
            and str(folder_of(facts.pid)) == self.folder
        )

    def end(self, timeout_s: float) -> bool:
        """End its processes: gracefully, and with force after `timeout_s`.

        The leader is asked, which asks its workers; where it is gone each of these is. Returns
        whether any ran.
        """
        pids = self.pids()
        if not pids:
            return False
        for pid in [self.leader] if self.leader in pids else pids:
            _signal(pid, self.stop_signal)
        if not self._is_gone_within(timeout_s):
            for pid in self.pids():
                _signal(pid, signal.SIGKILL)
            self._is_gone_within(_KILL_S)
        return True

    def _is_gone_within(self, timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        while self.pids():
            if time.monotonic() > end:
                return False
            time.sleep(_POLL_S)
        return True


def end_groups(files: Sequence[Path], timeout_s: float) -> list[str]:
    """End the groups that files name, one after the other; return the names of those that ran.

    The files are gone afterwards.
    """
    ended = []
    for file in files:
        group = ProcessGroup.read(file)
        if group and group.end(timeout_s):
            ended.append(file.name)
        file.unlink(missing_ok=True)
    return ended


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
