"""How a stack is: one plain value for each process, decided from what was found out about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from slipway.servables import VersionStatus
from slipway.stack.history import History
from slipway.stack.supervisord import Program, ProgramState

LOOP_S: Final = 60.0
"""Ends by itself that are no more than this apart may be a loop."""
LOOP_ENDS: Final = 3
"""How many of them are one."""


class ProcessState(StrEnum):
    """Where a process is; a sentence each."""

    READY = "ready"
    """It runs, and answers what it is there for."""
    STARTING = "starting"
    """It was started a moment ago, and does not answer yet."""
    UNREADY = "unready"
    """It runs, and does not answer yet or any more; the reason says why."""
    CRASHING = "crashing"
    """It ends by itself again and again; supervisor starts it each time, after longer pauses."""
    FAILED = "failed"
    """It ended so often that supervisor has given up; `slipway start` tries again."""
    STOPPING = "stopping"
    """It was asked to end, and still answers what it had begun."""
    STOPPED = "stopped"
    """Nobody has started it, or somebody has stopped it."""
    ORPHANED = "orphaned"
    """It runs, but supervisord does not any more: it will not be started again when it ends."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model of one server."""

    server: str
    name: str
    versions: Sequence[VersionStatus]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process said when it was asked whether it is ready."""

    problem: str = ""
    """Why it is not; empty when it is."""
    models: Sequence[ModelState] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about a process."""

    program: Program | None = None
    """What supervisord says; None where it does not run, or does not know the process."""
    history: History = field(default_factory=History)
    answer: Answer | None = None
    """None where it was not asked."""
    orphan: int | None = None
    """Its pid where it runs, and supervisord does not, or does not say."""
    is_ending: bool = False
    """Whether supervisord ends everything."""
    last_line: str = ""
    """The line of its log that tells most."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """How one process is."""

    name: str
    state: ProcessState
    pid: int | None
    uptime_s: float | None
    restarts: int
    """How often it was started again after it had ended by itself; see `slipway.stack.history`."""
    reason: str
    """Why it is not ready, or how it ended the last time; empty when there is nothing to say."""


@dataclass(frozen=True, slots=True)
class StackStatus:
    """How the whole stack is."""

    processes: Sequence[ProcessStatus]
    models: Sequence[ModelState] = ()
    requests_per_s: float | None = None
    """What the gateways answered in a second; None where that cannot be told."""
    problems: Sequence[str] = ()
    """What is wrong besides with what all of them need: a full disk, files that are gone."""

    @property
    def is_ready(self) -> bool:
        """Whether it answers: every process is ready, save for replicas that somebody stopped."""
        kinds: dict[str, list[ProcessState]] = {}
        for process in self.processes:
            kinds.setdefault(kind_of(process.name), []).append(process.state)
        return bool(kinds) and all(
            ProcessState.READY in states and set(states) <= {ProcessState.READY, _ON_PURPOSE}
            for states in kinds.values()
        )

    @property
    def unready(self) -> list[ProcessStatus]:
        """The processes that are not ready."""
        return [one for one in self.processes if one.state != ProcessState.READY]


_ON_PURPOSE: Final = ProcessState.STOPPED


def kind_of(name: str) -> str:
    """Return what replicas have in common: `server` for `server-2`."""
    return name.rpartition("-")[0] or name


def decide(name: str, evidence: Evidence, now: float) -> ProcessStatus:
    """Return how a process is. `now` is in seconds of the clock."""
    program, history = evidence.program, evidence.history
    state = _state(evidence, now)
    return ProcessStatus(
        name=name,
        state=state,
        pid=program.pid if program else evidence.orphan,
        uptime_s=program.uptime_s if program else None,
        restarts=history.restarts,
        reason=_reason(state, evidence),
    )


def _state(evidence: Evidence, now: float) -> ProcessState:
    program = evidence.program
    if program is None:
        if not evidence.orphan:
            return ProcessState.STOPPED
        return ProcessState.STOPPING if evidence.is_ending else ProcessState.ORPHANED
    plain = _PLAIN.get(program.state)
    if plain:
        return plain
    if _is_loop(evidence.history, now):
        return ProcessState.CRASHING
    if program.state == ProgramState.EXITED:
        return ProcessState.STARTING
    if evidence.answer is not None and not evidence.answer.problem:
        return ProcessState.READY
    if program.state == ProgramState.STARTING:
        return ProcessState.STARTING
    return ProcessState.UNREADY


_PLAIN: Final[Mapping[ProgramState, ProcessState]] = {
    ProgramState.STOPPED: ProcessState.STOPPED,
    ProgramState.STOPPING: ProcessState.STOPPING,
    ProgramState.BACKOFF: ProcessState.CRASHING,
    ProgramState.FATAL: ProcessState.FAILED,
    ProgramState.UNKNOWN: ProcessState.FAILED,
}
"""Those of supervisor's states that say all."""


def _is_loop(history: History, now: float) -> bool:
    """Return whether a program that runs at this moment has ended too often to be trusted.

    supervisor backs off only from programs that end within a second or so; others run long enough
    to look well each time.
    """
    recent = [end for end in history.ends if now - end < LOOP_S]
    return history.ends_in_a_row > 1 or len(recent) >= LOOP_ENDS


def _reason(state: ProcessState, evidence: Evidence) -> str:
    history = evidence.history
    match state:
        case ProcessState.READY:
            return f"ended before: {history.last_exit}" if history.restarts else ""
        case ProcessState.ORPHANED:
            return "supervisord has ended: slipway up"
        case ProcessState.STOPPED | ProcessState.STOPPING:
            return ""
        case ProcessState.STARTING | ProcessState.UNREADY:
            return evidence.answer.problem if evidence.answer else history.last_exit
        case ProcessState.CRASHING | ProcessState.FAILED:
            error = evidence.program.error if evidence.program else ""
            end = history.last_exit or error
            # One that was killed had no time to say anything about it.
            line = "" if end.startswith("terminated") else evidence.last_line
            return ": ".join(part for part in (end, line) if part)
