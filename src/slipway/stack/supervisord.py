"""supervisord: started, asked and ended."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from slipway.errors import ConfigError, SlipwayError
from slipway.stack.access import user_name
from slipway.stack.processes import command_of, facts_of

_MODULE: Final = "supervisor.supervisord"
_POLL_S: Final = 0.02
_ANSWER_S: Final = 10.0
"""It answers in milliseconds: one that takes longer is stopped, or hangs."""
_START_S: Final = 20.0
_KILL_S: Final = 5.0
LONGEST_SOCKET_PATH: Final = 97
"""macOS takes 103 bytes, Linux 107, and supervisord appends its pid while it makes the socket."""


class SupervisorError(SlipwayError):
    """supervisord does not do what it was asked, or cannot be started."""


class EndingError(SupervisorError):
    """supervisord has been asked to end: it answers nothing else until its programs have ended."""


class ProgramState(IntEnum):
    """The states of supervisord's programs, by its own names and numbers."""

    STOPPED = 0
    STARTING = 10
    RUNNING = 20
    BACKOFF = 30
    STOPPING = 40
    EXITED = 100
    FATAL = 200
    UNKNOWN = 1000


class _Fault(IntEnum):
    """Answers of supervisord that mean that there is nothing to do."""

    BAD_NAME = 10
    ALREADY_STARTED = 60
    NOT_RUNNING = 70
    ALREADY_ADDED = 90


_SHUTDOWN_STATE: Final = 6
"""Its answer to everything once it has been asked to end."""


@dataclass(frozen=True, slots=True)
class Program:
    """What supervisord says of one program."""

    name: str
    state: ProgramState
    pid: int | None
    uptime_s: float | None
    error: str
    """Why it could not be started."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How the configuration that supervisord has read differs from what it runs."""

    added: Sequence[str]
    changed: Sequence[str]
    removed: Sequence[str]


class Supervisord:
    """The supervisord of one run folder, whether it runs or not."""

    def __init__(self, config: Path, socket_path: Path, pid_file: Path, log: Path) -> None:
        self._config = config
        self._socket = socket_path
        self._pid_file = pid_file
        self._log = log

    def pid(self) -> int | None:
        """Return its pid; None when it does not run.

        A pid file may be older than the process that has the number now: that one must have been
        started with our configuration.
        """
        try:
            pid = int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None
        if facts_of(pid) and str(self._config) in command_of(pid):
            return pid
        return None

    def demand_own(self) -> None:
        """Raise SupervisorError where it runs as another user, who has started the stack."""
        pid = self.pid()
        facts = facts_of(pid) if pid else None
        if facts and facts.user != os.geteuid():
            name = user_name(facts.user)
            raise SupervisorError(f"the stack was started by {name}; do this as {name}")

    def start(self) -> None:
        """Start it as a daemon, and return when it answers. Raises SupervisorError."""
        self._prepare()
        command = self._command()
        run = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if run.returncode:
            raise SupervisorError(f"supervisord cannot be started: {_error_in(run.stderr)}")
        self._wait_until_open(None)

    def start_below(self) -> "subprocess.Popen[bytes]":
        """Start it as a child of this process, and return it when it answers.

        It has a session of its own: what a terminal sends with Ctrl-C reaches this process alone,
        which is to pass it on once.
        """
        self._prepare()
        child = subprocess.Popen(
            [*self._command(), "--nodaemon", "--silent"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_open(child)
        return child

    def programs(self) -> dict[str, Program]:
        """Return all programs by name; none when it does not run. Raises SupervisorError."""
        if not self.pid():
            return {}
        try:
            found: list[dict[str, Any]] = self._ask("getAllProcessInfo")
        except SupervisorError:
            # It may have ended since.
            if self.pid():
                raise
            return {}
        return {entry["name"]: _program(entry) for entry in found}

    def start_program(self, name: str) -> None:
        """Have a program run; nothing when it does. Does not wait until it has proved stable."""
        self._ask("startProcess", name, False, fine=[_Fault.ALREADY_STARTED])

    def stop_program(self, name: str) -> None:
        """Have a program end, and return when it has; nothing when it does not run."""
        self._ask("stopProcess", name, False, fine=[_Fault.NOT_RUNNING])
        while (program := self.programs().get(name)) and program.state == ProgramState.STOPPING:
            # supervisord itself ends it with force in the end.
            time.sleep(_POLL_S)

    def signal_program(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the first process of a program. Raises SupervisorError."""
        self._ask("signalProcess", name, number.name.removeprefix("SIG"))

    def read_config(self) -> Changes:
        """Have it read its configuration; nothing that runs is touched. Raises SupervisorError."""
        added, changed, removed = self._ask("reloadConfig")[0]
        return Changes(added, changed, removed)

    def add_program(self, name: str) -> None:
        """Have it run a program of the configuration that it has read."""
        self._ask("addProcessGroup", name, fine=[_Fault.ALREADY_ADDED])

    def remove_program(self, name: str) -> None:
        """Have it end a program, and forget it; nothing when it does not know it."""
        if name in self.programs():
            self.stop_program(name)
            self._ask("removeProcessGroup", name, fine=[_Fault.BAD_NAME])

    def end(self, timeout_s: float) -> bool:
        """End it and, by it, its programs; with force after `timeout_s`. Return whether it ran."""
        pid = self.pid()
        if pid:
            if os.geteuid() != 0:
                self.demand_own()
            _signal(pid, signal.SIGTERM)
            if not _is_gone_within(pid, timeout_s):
                _signal(pid, signal.SIGKILL)
                _is_gone_within(pid, _KILL_S)
        for file in (self._pid_file, self._socket):
            file.unlink(missing_ok=True)
        return pid is not None

    def wait_while_ending(self, timeout_s: float) -> None:
        """Return at once unless it is about to end; then when it has. Raises SupervisorError."""
        pid = self.pid()
        if pid and not self._is_in_charge() and not _is_gone_within(pid, timeout_s):
            raise SupervisorError(
                f"supervisord has pid {pid} and does not answer: end it with slipway down"
            )

    def _is_in_charge(self) -> bool:
        try:
            self._ask("getState")
        except SupervisorError:
            return False
        return True

    def _prepare(self) -> None:
        length = len(os.fsencode(self._socket))
        if length > LONGEST_SOCKET_PATH:
            raise ConfigError(
                f"{self._socket} has {length} bytes, and the path of a socket may have "
                f"{LONGEST_SOCKET_PATH}: name a shorter run_folder in [stack]"
            )
        # One that was killed has left them behind.
        for file in (self._pid_file, self._socket):
            file.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        return [sys.executable, "-m", _MODULE, "-c", str(self._config)]

    def _wait_until_open(self, child: "subprocess.Popen[bytes] | None") -> None:
        end = time.monotonic() + _START_S
        while not (self.pid() and self._is_in_charge()):
            if time.monotonic() > end or (child and child.poll() is not None):
                raise SupervisorError(f"supervisord does not start; its log is {self._log}")
            time.sleep(_POLL_S)

    def _ask(self, method: str, *arguments: Any, fine: Sequence[int] = ()) -> Any:
        """Call a method of supervisord's. Faults in `fine` mean that it is as it should be."""
        proxy = xmlrpc.client.ServerProxy("http://supervisord", _Transport(self._socket))
        with proxy:
            try:
                return getattr(proxy.supervisor, method)(*arguments)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode in fine:
                    return None
                if fault.faultCode == _SHUTDOWN_STATE:
                    raise EndingError("supervisord is about to end, and ends the stack") from fault
                raise SupervisorError(f"supervisord: {method}: {fault.faultString}") from fault
            except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
                if isinstance(error, PermissionError):
                    self.demand_own()
                raise SupervisorError(f"supervisord does not answer: {error}") from error


def config_in(command: Sequence[str]) -> Path | None:
    """Return the configuration that a command runs supervisord with; None when it does not."""
    match command:
        case [_, "-m", module, "-c", config, *_] if module == _MODULE:
            return Path(config)
    return None


class _Transport(xmlrpc.client.Transport):
    """XML-RPC over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        # There the base class looks for what it is to close.
        self._connection = host, connection
        return connection


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("supervisord", timeout=_ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _program(entry: dict[str, Any]) -> Program:
    runs = bool(entry["pid"])
    return Program(
        name=entry["name"],
        state=ProgramState(entry["state"]),
        pid=entry["pid"] if runs else None,
        uptime_s=float(max(entry["now"] - entry["start"], 0)) if runs else None,
        error=entry["spawnerr"],
    )


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_gone_within(pid: int, timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while facts_of(pid):
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True


def _error_in(text: str) -> str:
    """Return what supervisord says before it tells how to get help."""
    lines = text.strip().splitlines()
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return (errors or lines or ["it says nothing"])[-1]
