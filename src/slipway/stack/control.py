"""Running a stack: up, restarted, reloaded and down.

The commands that change something hold the lock of the run folder while they do (`Stack.locked`),
look at what is there, and do what is missing: done twice, or after a command that was killed, they
end with the same stack.
"""

import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from slipway.errors import ConfigError, SlipwayError
from slipway.stack import probes
from slipway.stack.applied import digests, read_applied, write_applied
from slipway.stack.disk import disk_problems
from slipway.stack.group import ProcessGroup, end_groups
from slipway.stack.history import History, read_history, read_log
from slipway.stack.lock import locked
from slipway.stack.logs import last_lines, telling_line
from slipway.stack.plan import Nginx, Plan, Process, Server
from slipway.stack.prepare import prepare
from slipway.stack.refresh import drop_old_models, refresh
from slipway.stack.status import (
    Evidence,
    ProcessState,
    ProcessStatus,
    StackStatus,
    decide,
    kind_of,
)
from slipway.stack.supervisord import Changes, EndingError, Program, ProgramState, Supervisord
from slipway.stack.timing import gateway_stop_s, nginx_stop_s, server_stop_s

_POLL_S: Final = 0.1
_MARGIN_S: Final = 10.0
"""For supervisord itself, besides what its programs may take."""
_RETRY_S: Final = 2.1
"""nginx leaves out a replica that did not answer for fail_timeout, 1 s, and counts whole seconds.

Gateways ask for theirs every half second."""
_RATE_S: Final = 0.5
_HOPELESS: Final = 3
"""Restarts after which nobody need wait for a process."""


Prepare = Callable[[Plan, Collection[int], Callable[[str], None]], None]


class StackError(SlipwayError):
    """A process of the stack does not do what it is to do."""


class Stack:
    """The processes of a plan.

    `say` gets a line for each thing that is done. `prepare` checks the plan and writes its files,
    before anything is touched.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        say: Callable[[str], None] = lambda _: None,
        prepare: Prepare = prepare,
    ) -> None:
        self._plan = plan
        self._say = say
        self._write_files = prepare
        project = plan.project
        grace = [gateway_stop_s(project.gateway), server_stop_s(project), nginx_stop_s(project)]
        self._orphan_s = max(grace)
        self._down_s = sum(grace) + _MARGIN_S
        """supervisord ends one kind after the other, with force what takes too long."""
        self._log = plan.logs / "supervisord.log"
        self._supervisord = Supervisord(
            plan.supervisor_config, plan.supervisor_socket, plan.supervisor_pid, self._log
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands from changing the stack meanwhile. Raises ConfigError."""
        with locked(self._plan.run, on_wait=lambda who: self._say(f"waiting for {who}")):
            yield

    @property
    def is_running(self) -> bool:
        """Whether supervisord runs."""
        return self._supervisord.pid() is not None

    # What follows up to `status` changes the stack: with the lock held.

    def up(self, timeout_s: float) -> None:
        """Start what does not run, and apply what has changed; else do nothing.

        Replicas are replaced one after the other, each within `timeout_s`. Does not wait for those
        that it starts. Raises ConfigError before anything is touched, and SlipwayError.
        """
        self._prepare()
        if not self.is_running:
            self._end_orphans()
            self._supervisord.start()
            self._note_all()
            return
        changes = self._supervisord.read_config()
        for name in changes.added:
            self._say(f"{name}: added")
            self._supervisord.add_program(name)
        own = {process.name for process in self._plan.processes}
        for name in set(changes.changed) - own:
            # What serves the processes, such as the rotation of logs.
            self._supervisord.remove_program(name)
            self._supervisord.add_program(name)
        last = ""
        for process in self._plan.processes:
            if process.name in changes.changed:
                if kind_of(process.name) == last:
                    self._let_it_be_found()
                self._say(f"{process.name}: restarted with what has changed")
                self._replace(process, changes, timeout_s)
                last = kind_of(process.name)
        self._start_stopped()
        self._refresh(self._outdated(changes.added), timeout_s)
        for name in changes.removed:
            self._say(f"{name}: removed")
            self._supervisord.remove_program(name)
            (self._plan.groups / name).unlink(missing_ok=True)
        self._note_all()

    def up_below(self) -> "subprocess.Popen[bytes]":
        """Start the stack with supervisord as a child of this process. Raises SlipwayError."""
        if self.is_running:
            raise ConfigError("the stack runs already: end it with slipway down")
        self._prepare()
        self._end_orphans()
        child = self._supervisord.start_below()
        self._note_all()
        return child

    def start(self, names: Sequence[str]) -> None:
        """Start processes, or all; those that run stay as they are. Raises ConfigError."""
        self._demand_running()
        for process in self._named(names):
            self._supervisord.start_program(process.name)

    def stop(self, names: Sequence[str]) -> None:
        """Stop processes, or all, those that are asked first; return when they have ended."""
        processes = self._named(names)
        if not self.is_running:
            return
        for process in reversed(processes):
            self._supervisord.stop_program(process.name)

    def restart(self, names: Sequence[str], timeout_s: float) -> None:
        """Restart processes, or all, one after the other, with what the files say now.

        Each must be ready within `timeout_s` before the next is stopped: with two replicas of it,
        one of them answers at any time. Raises StackError where one is not, and leaves the others
        as they are.
        """
        processes = self._named(names)
        self._demand_running()
        self._prepare()
        changes = self._supervisord.read_config()
        current = digests(self._plan)
        for number, process in enumerate(processes):
            if number and kind_of(process.name) == kind_of(processes[number - 1].name):
                self._let_it_be_found()
            self._say(f"{process.name}: restarting")
            self._replace(process, changes, timeout_s)
            self._note({process.name: current[process.name]})

    def reload(self, timeout_s: float) -> list[str]:
        """Have every process take up its configuration and its code, and lose no request.

        Servers first, then gateways and nginx, replicas one after the other. Returns what a reload
        cannot change, a line each. Raises SlipwayError.
        """
        self._demand_running()
        self._prepare()
        changes = self._supervisord.read_config()
        # Clients of nginx keep their connections, and it closes them when it reloads: one that
        # sends something at that very moment gets no answer. So it is left alone without need.
        outdated = self._outdated(changes.added)
        self._refresh(
            [
                process
                for process in self._plan.processes
                if process.name not in changes.added
                and (process in outdated or not isinstance(process, Nginx))
            ],
            timeout_s,
        )
        known = [process.name for process in self._plan.processes]
        return [
            *(
                f"{name}: its command or its environment has changed: slipway restart {name}"
                for name in known
                if name in changes.changed
            ),
            *(f"{name}: is new: slipway up" for name in known if name in changes.added),
            *(f"{name}: is not in the file any more: slipway up" for name in changes.removed),
        ]

    def down(self) -> bool:
        """End everything, and return when it has ended: whether anything ran."""
        ran = self._supervisord.end(self._down_s)
        orphans = end_groups(self._group_files(), self._orphan_s)
        (self._plan.run / "applied.json").unlink(missing_ok=True)
        return ran or bool(orphans)

    # What follows looks, and touches nothing.

    def status(self, *, rate: bool = False) -> StackStatus:
        """Return how everything is; with `rate`, the requests per second, in half a second."""
        before = probes.requests_answered(self._plan) if rate else None
        begin = time.monotonic()
        found = self._look()
        requests_per_s = None
        if before is not None:
            time.sleep(max(_RATE_S - (time.monotonic() - begin), 0))
            after = probes.requests_answered(self._plan)
            seconds = time.monotonic() - begin
            # They count from zero again when the stack was started anew in between.
            if after is not None and after >= before:
                requests_per_s = (after - before) / seconds
        problems = list(disk_problems(self._plan)) if self.is_running else []
        return StackStatus(found.processes, found.models, requests_per_s, problems)

    def wait_until_ready(self, timeout_s: float) -> StackStatus:
        """Return how everything is once it is ready, or once it is clear that it will not be."""
        end = time.monotonic() + timeout_s
        while True:
            status = self._look()
            if not status.unready or time.monotonic() > end or not self.is_running:
                return status
            if any(map(_is_hopeless, status.processes)):
                return status
            time.sleep(_POLL_S)

    def log_of(self, name: str) -> Path:
        """Return the log of a process, or of supervisord."""
        return self._plan.logs / f"{name}.log"

    def _prepare(self) -> None:
        """Check the plan and write its files. Raises ConfigError, and has touched nothing then."""
        # What root would write is for a supervisord of root's.
        self._supervisord.demand_own()
        groups = filter(None, map(ProcessGroup.read, self._group_files()))
        own = {pid for group in groups for pid in group.pids()}
        self._write_files(self._plan, own, self._say)
        self._supervisord.wait_while_ending(self._down_s)

    def _end_orphans(self) -> None:
        """End what a supervisord that was killed has left behind, and forget what it counted."""
        for name in end_groups(self._group_files(), self._orphan_s):
            self._say(f"{name}: ended, supervisord had left it behind")
        # The folder itself belongs to the user that the gateways run as.
        for file in self._plan.metrics.glob("*.db"):
            file.unlink(missing_ok=True)

    def _replace(self, process: Process, changes: Changes, timeout_s: float) -> None:
        """Stop a process, start it with what the configuration says, and wait until it is ready."""
        name = process.name
        if name in changes.changed:
            self._supervisord.remove_program(name)
            self._supervisord.add_program(name)
        else:
            self._supervisord.stop_program(name)
            self._supervisord.start_program(name)
        self._wait_for(process, timeout_s)

    def _wait_for(self, process: Process, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while True:
            status = self._look([process]).processes[0]
            if status.state == ProcessState.READY:
                return
            if _is_hopeless(status) or time.monotonic() > end:
                reason = f": {status.reason}" if status.reason else ""
                raise StackError(f"{process.name} is {status.state}{reason}")
            time.sleep(_POLL_S)

    def _let_it_be_found(self) -> None:
        """Wait until those who have noticed that a replica was away try it again."""
        if self._plan.nginx:
            time.sleep(_RETRY_S)

    def _start_stopped(self) -> None:
        programs = self._supervisord.programs()
        for process in self._plan.processes:
            program = programs.get(process.name)
            if program and program.state in (ProgramState.STOPPED, ProgramState.FATAL):
                self._say(f"{process.name}: started")
                self._supervisord.start_program(process.name)

    def _outdated(self, added: Sequence[str]) -> list[Process]:
        """Return the processes whose files say something else than when they read them."""
        applied, current = read_applied(self._plan), digests(self._plan)
        return [
            process
            for process in self._plan.processes
            if process.name not in added and applied.get(process.name) != current[process.name]
        ]

    def _refresh(self, processes: Sequence[Process], timeout_s: float) -> None:
        current = digests(self._plan)
        for process in processes:
            program = self._supervisord.programs().get(process.name)
            if program is None or program.pid is None:
                continue
            self._say(f"{process.name}: reloading")
            if not refresh(self._plan, process, program.pid, self._supervisord, timeout_s):
                self._replace(process, Changes([], [], []), timeout_s)
            self._wait_for(process, timeout_s)
            self._note({process.name: current[process.name]})
        for process in processes:
            if isinstance(process, Server) and process.name in self._supervisord.programs():
                drop_old_models(self._plan, process, timeout_s)

    def _note(self, applied: dict[str, str]) -> None:
        write_applied(self._plan, {**read_applied(self._plan), **applied})

    def _note_all(self) -> None:
        write_applied(self._plan, digests(self._plan))

    def _named(self, names: Sequence[str]) -> list[Process]:
        """Return processes by name, in the order in which they start. Raises ConfigError."""
        known = [process.name for process in self._plan.processes]
        if unknown := [name for name in names if name not in known]:
            raise ConfigError(f"there is no process {unknown[0]}; there are {', '.join(known)}")
        return [one for one in self._plan.processes if not names or one.name in names]

    def _demand_running(self) -> None:
        self._supervisord.demand_own()
        self._supervisord.wait_while_ending(self._down_s)
        if not self.is_running:
            raise ConfigError("the stack does not run: slipway up")

    def _group_files(self) -> list[Path]:
        """Return the files of what was started, what is asked first in front."""
        plan = self._plan
        # Of replicas too that the project had before.
        found = {path.name: path for path in plan.groups.glob("*")}
        found |= {process.name: plan.group_file(process) for process in plan.processes}
        order = [process.name for process in reversed(plan.processes)]
        files = [found.pop(name) for name in order] + list(found.values())
        return [file for file in files if file.exists()]

    def _look(self, processes: Sequence[Process] | None = None) -> StackStatus:
        """Find out how these processes are, or all."""
        processes = self._plan.processes if processes is None else processes
        is_ending = False
        try:
            programs = self._supervisord.programs()
        except EndingError:
            programs, is_ending = {}, True
        histories = read_history(read_log(self._log))

        def find_out(process: Process) -> Evidence:
            name = process.name
            history = histories.get(name, History())
            return self._evidence(process, programs.get(name), history, is_ending=is_ending)

        with ThreadPoolExecutor(max(len(processes), 1)) as pool:
            evidence = list(pool.map(find_out, processes))
        now = time.time()
        return StackStatus(
            [decide(process.name, one, now) for process, one in zip(processes, evidence)],
            [model for one in evidence if one.answer for model in one.answer.models],
        )

    def _evidence(
        self, process: Process, program: Program | None, history: History, *, is_ending: bool
    ) -> Evidence:
        orphan = None
        if program is None:
            group = ProcessGroup.read(self._plan.group_file(process))
            pids = group.pids() if group else []
            orphan = min(pids, default=None)
            history = History()
        return Evidence(
            program=program,
            history=history,
            answer=probes.ask(self._plan, process) if program and program.pid else None,
            orphan=orphan,
            is_ending=is_ending,
            last_line=telling_line(last_lines(self.log_of(process.name), 20)),
        )


def _is_hopeless(status: ProcessStatus) -> bool:
    return status.state == ProcessState.FAILED or (
        status.state == ProcessState.CRASHING and status.restarts >= _HOPELESS
    )
